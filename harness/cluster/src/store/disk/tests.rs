//! What survives, what is numbered how, and what is said when a folder is no good.

use std::{sync::Arc, time::Duration};

use pulldrill_clock::real;
use serde_json::{Value, json};

use super::{
    super::{Space, Store, StoreError},
    *,
};

fn config_map(name: &str, data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns"},
        "data": {"x": data}})
}

fn key(name: &str) -> Key {
    Key::new("ns", name)
}

async fn open(folder: &Path) -> (Disk, Store) {
    let disk = Disk::open(folder).unwrap();
    let past = disk.past("").await.unwrap();
    let store = Store::of_past(past, 100);
    (disk, store)
}

/// Waits until the thread of a disk has let go of the database.
async fn reopened(folder: &Path) -> (Disk, Store) {
    loop {
        if let Ok(disk) = Disk::open(folder) {
            let past = disk.past("").await.unwrap();
            return (disk, Store::of_past(past, 100));
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_durable_is_there_again_and_revisions_rise() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    for name in ["a", "b", "c"] {
        store.create("configmaps", key(name), config_map(name, "1")).unwrap();
    }
    let managed = json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-02T03:04:05Z", "fieldsV1": {"f:data": {"f:x": {}}}}]);
    let Claim::Entries(owners) = ManagedFields::claimed(&managed) else { panic!("not read") };
    let body = Body { value: config_map("b", "2"), managed: owners };
    let b = store.update("configmaps", &key("b"), None, body).unwrap();
    store.delete("configmaps", &key("c"), None).unwrap();
    store.durable().await.unwrap();
    let shown = store.revision();
    drop((disk, store));

    let (_disk, store) = reopened(folder.path()).await;
    let again = store.get("configmaps", &key("b")).unwrap();
    assert_eq!((again.bytes(), again.revision()), (b.bytes(), b.revision()));
    assert_eq!(again.managed(), b.managed());
    assert_eq!(store.list("configmaps", None).0.len(), 2);
    assert!(store.revision() > shown);
    assert!(store.events_since(shown).is_err(), "who followed has to list again");
    assert!(store.events_since(store.revision()).unwrap().is_empty());
    let next = store.create("configmaps", key("d"), config_map("d", "1")).unwrap();
    assert!(next.revision() > shown);
}

#[tokio::test]
async fn a_folder_has_one_owner_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (_disk, store) = open(folder.path()).await;
    store.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    store.durable().await.unwrap();
    let second = Disk::open(folder.path()).unwrap_err().to_string();
    assert!(second.contains("locked") && second.contains(FILE), "{second}");
}

#[tokio::test]
async fn clusters_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let one = Store::of_past(disk.past("one").await.unwrap(), 10);
    let two = Store::of_past(disk.past("two").await.unwrap(), 10);
    one.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    two.create("configmaps", key("a"), config_map("a", "2")).unwrap();
    disk.flush().await.unwrap();
    assert_eq!(disk.clusters().await.unwrap(), ["one", "two"]);
    drop((one, two));
    disk.forget("one").await.unwrap();
    assert_eq!(disk.clusters().await.unwrap(), ["two"]);
    assert!(disk.past("one").await.unwrap().resources.is_empty());
    let two = Store::of_past(disk.past("two").await.unwrap(), 10);
    assert_eq!(two.get("configmaps", &key("a")).unwrap().value()["data"]["x"], "2");
}

#[tokio::test]
async fn many_writers_wait_for_the_same_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    let store = Arc::new(store);
    let writers = (0..50).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..20 {
                let name = format!("w{writer}-{n}");
                store.create("configmaps", key(&name), config_map(&name, "1")).unwrap();
                store.durable().await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    drop((disk, store));
    let (_disk, store) = reopened(folder.path()).await;
    assert_eq!(store.list("configmaps", None).0.len(), 1000);
}

#[tokio::test]
async fn revisions_are_reserved_anew_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    // A store that has lived long: as if it had come so far by writing.
    store.inner.write().revision = 700_000;
    store.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    store.durable().await.unwrap();
    store.inner.write().revision = 1_400_000;
    store.create("configmaps", key("b"), config_map("b", "1")).unwrap();
    store.durable().await.unwrap();
    drop((disk, store));
    let (_disk, store) = reopened(folder.path()).await;
    assert!(store.revision() > 1_400_001, "{}", store.revision());
}

#[test]
fn a_database_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "this is no database, but it is long enough to be looked at")
        .unwrap();
    let error = Disk::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(FILE) && error.contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_damaged_journal_is_told_apart_from_a_disk_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    // They are in the journal alone until nobody has written for a while.
    let (left, begun) = loop {
        let begun = disk.office.desk.pen().journal.place();
        for name in ["a", "b", "c"] {
            let _there_already = store.create("configmaps", key(name), config_map(name, "1"));
            store.update("configmaps", &key(name), None, config_map(name, "2")).unwrap();
            store.durable().await.unwrap();
        }
        let pen = disk.office.desk.pen();
        let left = left_by_a_kill(folder.path(), folder.path());
        let round = pen.journal.place().round;
        disk.office.desk.give_back(pen);
        if round == begun.round {
            break (left, begun);
        }
    };
    let journal = left.path().join(JOURNAL);
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[usize::try_from(begun.offset).unwrap() + 40] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    let error = Disk::open(left.path()).unwrap_err();
    assert!(matches!(error, DiskError::Damaged { .. }));
    let error = error.to_string();
    assert!(
        error.contains("cluster.journal: the journal is damaged") && error.contains("restore it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_object_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    store.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    store.durable().await.unwrap();
    drop((disk, store));
    drop(reopened(folder.path()).await);
    loop {
        let db = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
        if db.execute("UPDATE objects SET body = CAST('{\"kind\":' AS BLOB)", []).is_ok() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let disk = Disk::open(folder.path()).unwrap();
    let error = disk.past("").await.unwrap_err().to_string();
    assert!(error.contains("configmaps ns/a") && error.contains("damaged"), "{error}");
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    for number in 0..50 {
        let name = format!("c{number}");
        store.create("configmaps", key(&name), config_map(&name, "1")).unwrap();
        store.durable().await.unwrap();
    }
    // As after a kill: the database was not closed, and most of it is in the journal still.
    let left = left_by_a_kill(folder.path(), folder.path());

    let (left_disk, left_store) = open(left.path()).await;
    assert_eq!(left_store.list("configmaps", None).0.len(), 50);
    left_store.create("configmaps", key("more"), config_map("more", "1")).unwrap();
    left_store.durable().await.unwrap();
    drop((disk, store, left_disk, left_store));
    let (_disk, store) = reopened(left.path()).await;
    assert_eq!(store.list("configmaps", None).0.len(), 51);
}

#[tokio::test]
async fn a_restart_counts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let space = Space::of(1 << 20);
    let disk = Disk::open(folder.path()).unwrap();
    let store = Store::of_past_within(disk.past("").await.unwrap(), 100, space.account());
    let managed = json!([{"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-02T03:04:05Z", "fieldsV1": {"f:data": {"f:x": {}, "k:{\"a\":1}": {".": {}}}}}]);
    let Claim::Entries(owners) = ManagedFields::claimed(&managed) else { panic!("not read") };
    for name in ["a", "b", "c"] {
        let body = Body { value: config_map(name, &name.repeat(1000)), managed: owners.clone() };
        store.create("configmaps", key(name), body).unwrap();
    }
    store.update("configmaps", &key("b"), None, config_map("b", "2")).unwrap();
    store.delete("configmaps", &key("c"), None).unwrap();
    store.durable().await.unwrap();
    let used = space.used();
    drop((disk, store));
    assert_eq!(space.used(), 0);

    // With less room than it takes: what is there stays, and nothing comes to it.
    let space = Space::of(used - 1);
    let disk = loop {
        match Disk::open(folder.path()) {
            Ok(disk) => break disk,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let store = Store::of_past_within(disk.past("").await.unwrap(), 100, space.account());
    assert_eq!(space.used(), used);
    assert_eq!(store.create("configmaps", key("d"), config_map("d", "")).unwrap_err(), StoreError::Full);
    store.delete("configmaps", &key("a"), None).unwrap();
    store.create("configmaps", key("d"), config_map("d", "")).unwrap();
}

/// A folder with what a process would find that came after a kill just now, the database apart, which is `from`.
fn left_by_a_kill(from: &Path, journal: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for (folder, name) in [(from, FILE), (from, &*format!("{FILE}-wal")), (journal, JOURNAL)] {
        std::fs::copy(folder.join(name), left.path().join(name)).unwrap();
    }
    left
}

/// Waits until everything is in the tables.
async fn settled(disk: &Disk) {
    until(|| disk.office.desk.is_clear() && disk.office.desk.pen().journal.place().offset == 0).await;
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        real::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_written_soon_whether_or_not_the_thread_sleeps() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    for round in 0..3 {
        let before = disk.office.desk.pen().journal.place();
        store.create("configmaps", key(&format!("a{round}")), config_map("a", "1")).unwrap();
        until(|| disk.office.desk.pen().journal.place() != before).await;
        if round == 1 {
            settled(&disk).await;
        }
    }
}

#[tokio::test]
async fn a_journal_that_is_in_the_tables_is_not_read_again() {
    let (folder, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (disk, store) = open(folder.path()).await;
    for name in ["a", "b"] {
        store.create("configmaps", key(name), config_map(name, "1")).unwrap();
    }
    store.durable().await.unwrap();
    std::fs::copy(folder.path().join(JOURNAL), old.path().join(JOURNAL)).unwrap();
    store.delete("configmaps", &key("a"), None).unwrap();
    settled(&disk).await;

    // As if the kernel had lost what it was not asked to keep.
    for journal in [folder.path(), old.path()] {
        let left = left_by_a_kill(folder.path(), journal);
        let (_disk, store) = open(left.path()).await;
        assert!(store.get("configmaps", &key("a")).is_none());
        assert!(store.get("configmaps", &key("b")).is_some());
    }
}

#[tokio::test]
async fn a_cluster_that_was_forgotten_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, main) = open(folder.path()).await;
    let store = Store::of_past(disk.past("one").await.unwrap(), 10);
    disk.keep("token/one", vec![1]).await.unwrap();
    store.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    drop(store);
    disk.forget("one").await.unwrap();
    let left = left_by_a_kill(folder.path(), folder.path());
    assert_eq!(Disk::open(left.path()).unwrap().clusters().await.unwrap(), [""]);

    // In the order in which a virtual cluster begins.
    assert_eq!(disk.keep("token/one", vec![2]).await.unwrap(), [2]);
    let store = Store::of_past(disk.past("one").await.unwrap(), 10);
    assert!(store.list("configmaps", None).0.is_empty());
    store.create("configmaps", key("b"), config_map("b", "1")).unwrap();
    store.durable().await.unwrap();
    drop((disk, main, store));
    let (disk, _main) = reopened(folder.path()).await;
    let store = Store::of_past(disk.past("one").await.unwrap(), 10);
    assert_eq!(store.list("configmaps", None).0.len(), 1);
}

#[tokio::test]
async fn a_long_journal_comes_into_the_tables_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    let first = disk.office.desk.pen().journal.place().round;
    let mut written = 0;
    while disk.office.desk.pen().journal.place().round < first + 2 {
        let name = format!("c{written}");
        store.create("configmaps", key(&name), config_map(&name, &"x".repeat(1 << 20))).unwrap();
        store.durable().await.unwrap();
        written += 1;
        assert!(written < 500, "the journal has no end");
    }
    let left = left_by_a_kill(folder.path(), folder.path());
    let (_disk, store) = open(left.path()).await;
    assert_eq!(store.list("configmaps", None).0.len(), written);
}

#[tokio::test]
async fn without_room_clients_are_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    store.create("configmaps", key("a"), config_map("a", "1")).unwrap();
    store.durable().await.unwrap();
    // What can't be opened can't be made longer.
    let (journal, aside) = (folder.path().join(JOURNAL), folder.path().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::create_dir(&journal).unwrap();
    for n in 0..40 {
        let name = format!("large-{n}");
        store.create("configmaps", key(&name), config_map(&name, &"x".repeat(1 << 20))).unwrap();
    }
    let failure = store.durable().await.unwrap_err();
    assert!(matches!(&failure, StoreError::Disk(why) if why.contains(JOURNAL)), "{failure}");

    std::fs::remove_dir(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    store.create("configmaps", key("b"), config_map("b", "1")).unwrap();
    until(|| disk.office.desk.is_clear()).await;
    store.durable().await.unwrap();
    drop((disk, store));
    let (_disk, store) = reopened(folder.path()).await;
    assert_eq!(store.list("configmaps", None).0.len(), 42);
}

#[tokio::test]
async fn nothing_is_acknowledged_when_the_journal_is_found_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, store) = open(folder.path()).await;
    let mut written = 0;
    let refused = loop {
        let name = format!("c{written}");
        store.create("configmaps", key(&name), config_map(&name, "1")).unwrap();
        if let Err(refused) = store.durable().await {
            break refused.to_string();
        }
        written += 1;
        // Behind the first batch's head, unless it is in the tables already.
        if disk.office.desk.pen().journal.place().offset > 0 {
            let mut journal =
                std::fs::OpenOptions::new().write(true).open(folder.path().join(JOURNAL)).unwrap();
            std::io::Seek::seek(&mut journal, std::io::SeekFrom::Start(16)).unwrap();
            std::io::Write::write_all(&mut journal, b"x").unwrap();
            real::sleep(Duration::from_millis(300)).await;
        }
        assert!(written < 1000, "nobody has noticed");
    };
    assert!(refused.contains("damaged"), "{refused}");
}
