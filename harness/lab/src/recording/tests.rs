use pulldrill_clock::mailbox;
use pulldrill_cluster::store::Key;
use serde_json::{Value, json};

use super::*;

struct World {
    store: Arc<Store>,
    clock: Clock,
    recorder: Recorder,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Arc::new(Store::new(50)), Clock::live());
        let shifted = store.clone();
        clock.on_advance(move |by| shifted.shift_times(by));
        let recorder = Recorder::new(store.clone(), clock.clone());
        recorder.begin("payments");
        Self { store, clock, recorder }
    }

    fn pod(&self, namespace: &str, name: &str) -> Value {
        let now = pulldrill_clock::stamp(self.clock.shown_now());
        json!({
            "kind": "Pod",
            "metadata": {"namespace": namespace, "name": name, "creationTimestamp": now, "managedFields": []},
        })
    }

    fn create(&self, namespace: &str, name: &str) {
        self.store.create("pods", Key::new(namespace, name), self.pod(namespace, name)).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let (changes, _) = self.recorder.changes("payments");
        let name = |change: &ChangeView| {
            format!("{} {}", change.change, change.object["metadata"]["name"].as_str().unwrap_or_default())
        };
        changes.iter().map(name).collect()
    }
}

#[tokio::test]
async fn every_version_of_what_a_drill_is_about_is_kept_and_nothing_else() {
    let world = World::new();
    world.create("payments", "a");
    world.create("elsewhere", "b");
    world.store.create("secrets", Key::new("payments", "s"), json!({"kind": "Secret"})).unwrap();
    let key = Key::new("payments", "a");
    world.store.update("pods", &key, None, world.pod("payments", "a")).unwrap();
    world.store.delete("pods", &key, None).unwrap();
    assert_eq!(world.names(), ["ADDED a", "MODIFIED a", "DELETED a"]);
    let (changes, dropped) = world.recorder.changes("payments");
    assert!(changes.iter().all(|c| c.kind == "Pod" && c.object["metadata"]["managedFields"].is_null()));
    assert_eq!(dropped, 0);
    assert_eq!(world.recorder.changes("elsewhere"), (Vec::new(), 0));
}

#[tokio::test]
async fn a_new_attempt_begins_with_an_empty_tape() {
    let world = World::new();
    world.create("payments", "before");
    world.recorder.begin("payments");
    world.create("payments", "after");
    assert_eq!(world.names(), ["ADDED after"]);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted() {
    let world = World::new();
    for n in 0..KEPT + 5 {
        world.create("payments", &format!("p{n}"));
        world.recorder.catch_up(&mut world.recorder.tapes.lock());
    }
    let (changes, dropped) = world.recorder.changes("payments");
    assert_eq!((changes.len(), dropped), (KEPT, 5));
    assert_eq!(changes[0].object["metadata"]["name"], "p5");
    // Faster than the store keeps them: the hole is told, not hidden.
    (0..60).for_each(|n| world.create("payments", &format!("q{n}")));
    let (changes, dropped) = world.recorder.changes("payments");
    assert_eq!(changes[0].object["metadata"]["name"], "q10");
    assert!(changes.len() == 50 && dropped > KEPT as u64, "{dropped}");
}

#[tokio::test]
async fn a_recording_grows_old_with_the_world() {
    let world = World::new();
    world.create("payments", "early");
    let (before, _) = world.recorder.changes("payments");
    world.create("payments", "missed");
    world.clock.advance(SignedDuration::from_hours(12)).await;
    world.create("payments", "late");
    let (after, dropped) = world.recorder.changes("payments");
    assert_eq!((after.len(), dropped), (3, 0));
    let moved = before[0].t - after[0].t;
    assert!((moved - 43_200.0).abs() < 0.01, "{moved}");
    let created: Timestamp =
        after[0].object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    let created = created.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
    assert!((after[0].t - created).abs() < 2.0, "{created} is not the time at which it was seen");
    assert!(after[2].t > after[0].t + 43_000.0);
}

#[tokio::test]
async fn the_task_takes_in_what_happens() {
    let world = World::new();
    let (sender, receiver) = mailbox::mailbox(&world.clock);
    world.store.subscribe(sender);
    let stop = CancellationToken::new();
    let task = tokio::spawn(world.recorder.run(receiver, stop.clone()));
    for n in 0..3 {
        world.create("payments", &n.to_string());
        world.clock.idle().await;
    }
    assert_eq!(world.recorder.tapes.lock().seen, world.store.revision());
    stop.cancel();
    task.await.unwrap();
}
