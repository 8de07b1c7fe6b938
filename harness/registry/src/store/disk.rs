//! Content on disk, in a folder that belongs to one process at a time:
//!
//! ```text
//! pulldrill-registry.json   what this folder is
//! blobs/ALGORITHM/HEX       all content, once: the pool
//! hosts/HOST/TEAM+APP/      one OCI image layout for each repository, of hard links into the pool
//! uploads/HOST/TEAM+APP/ID  what is still arriving
//! apis/HOST.json            what the API beside a registry keeps
//! arriving/                 the same for a moment, of what arrives whole
//! ```
//!
//! The layouts are what lasts, and what is believed after a crash; the pool only saves room, and leads from a digest
//! to its bytes. Content becomes part of a layout when all of it is there, is what its digest says, and will be there
//! after a power cut. A slash in a name is a plus here, a colon an equals sign: neither can be in a name.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use pulldrill_clock::{Timestamp, secret};
use serde_json::{Value, json};

use super::{
    Whose,
    blob::Blob,
    cache::Cache,
    draft::Draft,
    files,
    layout::{self, Layout},
};
use crate::{
    digest::Algorithm,
    name::is_repository,
    repository::{Place, Repository},
};

const MARK: &str = "pulldrill-registry.json";
/// How the folder is laid out.
const VERSION: u64 = 1;

/// The folder.
pub(crate) struct Disk {
    root: PathBuf,
    cache: Mutex<Cache>,
    /// Whoever takes content away has this for themselves; whoever brings some has it with others who do.
    gate: RwLock<()>,
    /// Held as long as the folder is this process's.
    _lock: File,
}

/// An upload that a process which is gone had begun.
pub(crate) struct LeftBehind {
    pub(crate) repository: String,
    pub(crate) id: String,
    pub(crate) draft: Draft,
}

impl Disk {
    /// Takes a folder, making it if needed.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        files::make_folder(root)?;
        let mark = root.join(MARK);
        match fs::read(&mark) {
            Ok(text) => {
                let version = serde_json::from_slice::<Value>(&text)?["version"].as_u64();
                if version != Some(VERSION) {
                    return Err(io::Error::other("it was made by another version of this program"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A crash may have left the mark half written.
                if files::names(root)?.iter().any(|name| !name.starts_with('.')) {
                    return Err(io::Error::other("there are other files in it; use an empty folder"));
                }
                files::replace(&mark, json!({ "version": VERSION }).to_string().as_bytes())?;
            }
            Err(error) => return Err(error),
        }
        let lock = File::options().read(true).write(true).open(&mark)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another process uses it"),
            TryLockError::Error(error) => error,
        })?;
        let disk =
            Self { root: root.to_owned(), cache: Mutex::default(), gate: RwLock::new(()), _lock: lock };
        for algorithm in Algorithm::ALL {
            files::make_folder(&root.join("blobs").join(algorithm.name()))?;
        }
        files::make_folder(&disk.arriving())?;
        for name in files::names(&disk.arriving())? {
            files::remove(&disk.arriving().join(name))?;
        }
        Ok(disk)
    }

    fn arriving(&self) -> PathBuf {
        self.root.join("arriving")
    }

    fn layout(&self, host: &str, repository: &str) -> Layout {
        Layout::at(self.root.join("hosts").join(written(host)).join(written(repository)))
    }

    fn pool(&self, digest: &str) -> io::Result<PathBuf> {
        layout::file(&self.root, digest).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// While this is held, nothing is taken away.
    pub(super) fn bringing(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read()
    }

    /// While this is held, nothing is brought.
    pub(super) fn taking(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write()
    }

    /// Where an upload of a repository begins.
    pub(super) fn draft(
        &self,
        (host, repository): Whose<'_>,
        id: &str,
        algorithm: Algorithm,
    ) -> io::Result<Draft> {
        let folder = self.root.join("uploads").join(written(host)).join(written(repository));
        fs::create_dir_all(&folder)?;
        Draft::in_file(folder.join(id), algorithm)
    }

    /// Makes an upload part of a repository.
    pub(super) fn keep(&self, to: Whose<'_>, path: &Path, file: &File, digest: &str) -> io::Result<()> {
        file.sync_all()?;
        self.take_in(to, path, digest)
    }

    /// Makes some bytes part of a repository.
    pub(super) fn put(&self, to: Whose<'_>, digest: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.arriving().join(secret::uid());
        files::write_new(&path, bytes)?;
        self.take_in(to, &path, digest)
    }

    /// Moves a synchronised file into the pool and a layout.
    fn take_in(&self, (host, repository): Whose<'_>, path: &Path, digest: &str) -> io::Result<()> {
        let pool = self.pool(digest)?;
        files::link(path, &pool)?;
        let layout = self.layout(host, repository);
        layout.make()?;
        layout.hold(&pool, digest)?;
        files::remove(path)
    }

    /// Makes content that is there part of one more repository. False when it is not there.
    pub(super) fn link(&self, (host, repository): Whose<'_>, digest: &str) -> io::Result<bool> {
        let pool = self.pool(digest)?;
        let layout = self.layout(host, repository);
        layout.make()?;
        match layout.hold(&pool, digest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            held => held.map(|()| true),
        }
    }

    /// Takes content from a repository.
    pub(super) fn let_go(&self, (host, repository): Whose<'_>, digest: &str) -> io::Result<()> {
        self.layout(host, repository).let_go(digest)
    }

    /// Takes from the pool what is not among the living; gives how much that was.
    pub(super) fn sweep(&self, living: &HashSet<String>) -> io::Result<u64> {
        let mut swept = 0;
        for algorithm in Algorithm::ALL {
            let folder = self.root.join("blobs").join(algorithm.name());
            for name in files::names(&folder)? {
                if !living.contains(&format!("{}:{name}", algorithm.name())) {
                    files::remove(&folder.join(name))?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// What has a digest.
    pub(super) fn get(&self, digest: &str) -> io::Result<Option<Blob>> {
        if let Some(bytes) = self.cached(digest) {
            return Ok(Some(Blob::Bytes(bytes)));
        }
        match File::open(self.pool(digest)?) {
            Ok(file) => {
                let length = file.metadata()?.len();
                Ok(Some(Blob::File(file, length)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What has a digest, where it is small and was wanted lately.
    pub(super) fn cached(&self, digest: &str) -> Option<Bytes> {
        self.cache.lock().get(digest)
    }

    /// What has a digest, whole; it is remembered if it is small.
    pub(super) fn read(&self, digest: &str) -> io::Result<Option<Bytes>> {
        if let Some(bytes) = self.cached(digest) {
            return Ok(Some(bytes));
        }
        let Some(bytes) = self.get(digest)?.map(Blob::whole).transpose()? else { return Ok(None) };
        self.cache.lock().insert(digest, &bytes);
        Ok(Some(bytes))
    }

    /// Makes a repository as it is now last.
    pub(super) fn record(&self, (host, repository): Whose<'_>, now: &Repository) -> io::Result<()> {
        let layout = self.layout(host, repository);
        layout.make()?;
        layout.write(now)
    }

    /// The repositories of a host as they were left.
    pub(super) fn load(&self, host: &str, now: Timestamp) -> io::Result<BTreeMap<String, Place>> {
        let folder = self.root.join("hosts").join(written(host));
        let mut places = BTreeMap::new();
        for name in files::names(&folder)? {
            let repository = name.replace('+', "/");
            let path = folder.join(&name);
            if !is_repository(&repository) {
                continue;
            }
            let inside =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            let layout = Layout::at(path.clone());
            let mut blobs = layout.files(now).map_err(inside)?;
            for digest in blobs.keys() {
                if let Some(file) = layout.file(digest) {
                    files::link(&file, &self.pool(digest)?)?;
                }
            }
            let Some(found) = layout.read().map_err(inside)? else { continue };
            // A manifest is no blob, unless another one has it as a part of itself.
            let wanted: HashSet<&String> =
                found.manifests.values().filter(|m| !m.is_list()).flat_map(|m| &m.parts).collect();
            blobs.retain(|digest, _| !found.manifests.contains_key(digest) || wanted.contains(digest));
            places.insert(repository, Place::found(found, blobs));
        }
        Ok(places)
    }

    /// What was kept beside the repositories of a host.
    pub(super) fn aside(&self, host: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.beside(host)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps something beside the repositories of a host.
    pub(super) fn keep_aside(&self, host: &str, text: &[u8]) -> io::Result<()> {
        let path = self.beside(host);
        path.parent().map_or(Ok(()), files::make_folder)?;
        files::replace(&path, text)
    }

    fn beside(&self, host: &str) -> PathBuf {
        self.root.join("apis").join(format!("{}.json", written(host)))
    }

    /// The uploads of a host that were not finished.
    pub(super) fn left_behind(&self, host: &str) -> io::Result<Vec<LeftBehind>> {
        let folder = self.root.join("uploads").join(written(host));
        let mut all = Vec::new();
        for name in files::names(&folder)? {
            let repository = name.replace('+', "/");
            for id in files::names(&folder.join(&name))? {
                let draft = Draft::left_behind(folder.join(&name).join(&id))?;
                all.push(LeftBehind { repository: repository.clone(), id, draft });
            }
        }
        Ok(all)
    }
}

/// A name as a folder has it.
fn written(name: &str) -> String {
    name.replace('/', "+").replace(':', "=")
}
