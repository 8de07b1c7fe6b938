//! A file system that exists in memory only: one per container, bounded in size, without any way to the host.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use pulldrill_clock::Timestamp;
use thiserror::Error;

/// How many bytes one container can store.
const CAPACITY: usize = 64 * 1024 * 1024;

/// How many files and directories there can be.
const ENTRIES: usize = 20_000;

/// Why something can't be done with a file; worded as the C library does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FileError {
    #[error("No such file or directory")]
    NotFound,
    #[error("Is a directory")]
    IsDirectory,
    #[error("Not a directory")]
    NotDirectory,
    #[error("File exists")]
    Exists,
    #[error("Directory not empty")]
    NotEmpty,
    #[error("No space left on device")]
    NoSpace,
    #[error("Resource busy")]
    Busy,
}

/// A file or a directory.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The content; directories have none.
    pub(crate) content: Option<Arc<Vec<u8>>>,
    pub(crate) mode: u32,
    pub(crate) modified: Timestamp,
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        self.content.is_none()
    }

    pub(crate) fn size(&self) -> usize {
        self.content.as_ref().map_or(0, |c| c.len())
    }
}

/// All files of one container, by absolute path.
#[derive(Debug)]
pub(crate) struct Files(Mutex<Tree>);

#[derive(Debug)]
struct Tree {
    nodes: BTreeMap<String, Node>,
    used: usize,
}

/// The absolute path that `path` means in `directory`.
pub(crate) fn resolve(directory: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

/// What children of a directory have in front of their names.
fn prefix(directory: &str) -> String {
    if directory == "/" { "/".to_owned() } else { format!("{directory}/") }
}

impl Files {
    /// A root directory, and nothing in it.
    pub(crate) fn new(now: Timestamp) -> Self {
        let root = Node { content: None, mode: 0o755, modified: now };
        Self(Mutex::new(Tree { nodes: BTreeMap::from([("/".to_owned(), root)]), used: 0 }))
    }

    pub(crate) fn get(&self, path: &str) -> Result<Node, FileError> {
        self.0.lock().nodes.get(path).cloned().ok_or(FileError::NotFound)
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        self.get(path).is_ok_and(|node| node.is_directory())
    }

    /// The content of a file.
    pub(crate) fn read(&self, path: &str) -> Result<Arc<Vec<u8>>, FileError> {
        if path == "/dev/null" {
            return Ok(Arc::default());
        }
        self.get(path)?.content.ok_or(FileError::IsDirectory)
    }

    /// Makes a file empty, or appends to it: what redirections and programs write.
    pub(crate) fn write(
        &self,
        path: &str,
        content: &[u8],
        append: bool,
        now: Timestamp,
    ) -> Result<(), FileError> {
        if path == "/dev/null" {
            return Ok(());
        }
        let mut tree = self.0.lock();
        tree.room_for(path)?;
        let full = tree.used;
        let node = tree.nodes.entry(path.to_owned()).or_insert_with(|| Node {
            content: Some(Arc::default()),
            mode: 0o644,
            modified: now,
        });
        let Some(bytes) = &mut node.content else { return Err(FileError::IsDirectory) };
        let before = if append { 0 } else { bytes.len() };
        if full - before + content.len() > CAPACITY {
            return Err(FileError::NoSpace);
        }
        let bytes = Arc::make_mut(bytes);
        if !append {
            bytes.clear();
        }
        bytes.extend_from_slice(content);
        node.modified = now;
        tree.used = full - before + content.len();
        Ok(())
    }

    pub(crate) fn make_directory(&self, path: &str, now: Timestamp) -> Result<(), FileError> {
        let mut tree = self.0.lock();
        if tree.nodes.contains_key(path) {
            return Err(FileError::Exists);
        }
        tree.room_for(path)?;
        tree.nodes.insert(path.to_owned(), Node { content: None, mode: 0o755, modified: now });
        Ok(())
    }

    /// Makes a directory and those above it.
    pub(crate) fn make_directories(&self, path: &str, now: Timestamp) -> Result<(), FileError> {
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at = format!("{at}/{part}");
            match self.make_directory(&at, now) {
                Err(FileError::Exists) if self.is_directory(&at) => {}
                Err(FileError::Exists) => return Err(FileError::NotDirectory),
                other => other?,
            }
        }
        Ok(())
    }

    /// Changes what is kept beside the content.
    pub(crate) fn set(&self, path: &str, mode: Option<u32>, modified: Option<Timestamp>) {
        if let Some(node) = self.0.lock().nodes.get_mut(path) {
            node.mode = mode.unwrap_or(node.mode);
            node.modified = modified.unwrap_or(node.modified);
        }
    }

    /// Removes a file or, with `recursive`, everything below a path too.
    pub(crate) fn remove(&self, path: &str, recursive: bool) -> Result<(), FileError> {
        let mut tree = self.0.lock();
        let node = tree.nodes.get(path).ok_or(FileError::NotFound)?;
        if path == "/" || path == "/dev/null" {
            return Err(FileError::Busy);
        }
        if node.is_directory() && !recursive {
            return Err(FileError::IsDirectory);
        }
        tree.take(path);
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, path: &str) -> Result<(), FileError> {
        if !self.get(path)?.is_directory() {
            return Err(FileError::NotDirectory);
        }
        if !self.children(path).is_empty() {
            return Err(FileError::NotEmpty);
        }
        self.remove(path, true)
    }

    /// The names in a directory with what they are, sorted.
    pub(crate) fn children(&self, directory: &str) -> Vec<(String, Node)> {
        let prefix = prefix(directory);
        self.below(directory)
            .into_iter()
            .filter_map(|(path, node)| {
                let name = path.strip_prefix(&prefix)?;
                (!name.contains('/')).then(|| (name.to_owned(), node))
            })
            .collect()
    }

    /// Everything below a directory, by path, sorted.
    pub(crate) fn below(&self, directory: &str) -> Vec<(String, Node)> {
        let prefix = prefix(directory);
        let tree = self.0.lock();
        let rest = tree.nodes.range(prefix.clone()..);
        rest.take_while(|(path, _)| path.starts_with(&prefix))
            .filter(|(path, _)| **path != prefix)
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect()
    }
}

impl Tree {
    /// Whether something new or old can be at a path.
    fn room_for(&mut self, path: &str) -> Result<(), FileError> {
        let above = self.nodes.get(parent(path)).ok_or(FileError::NotFound)?;
        if !above.is_directory() {
            return Err(FileError::NotDirectory);
        }
        let full = self.nodes.len() >= ENTRIES;
        match self.nodes.entry(path.to_owned()) {
            Entry::Vacant(_) if full => Err(FileError::NoSpace),
            _ => Ok(()),
        }
    }

    fn take(&mut self, path: &str) {
        let below = prefix(path);
        let used = &mut self.used;
        self.nodes.retain(|other, node| {
            let goes = other == path || other.starts_with(&below);
            if goes {
                *used -= node.size();
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files::new(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn paths_never_leave_the_root() {
        assert_eq!(resolve("/a/b", "../c/./d"), "/a/c/d");
        assert_eq!(resolve("/", "../../../etc"), "/etc");
        assert_eq!(resolve("/a", "/x//y/"), "/x/y");
        assert_eq!(resolve("/a", ""), "/a");
    }

    #[test]
    fn files_are_written_listed_and_removed() {
        let (files, now) = (files(), Timestamp::UNIX_EPOCH);
        files.make_directories("/a/b", now).unwrap();
        files.write("/a/b/f", b"one", false, now).unwrap();
        files.write("/a/b/f", b"two", true, now).unwrap();
        assert_eq!(&**files.read("/a/b/f").unwrap(), b"onetwo");
        files.write("/a-b", b"", false, now).unwrap();
        let names = |at: &str| files.children(at).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("/"), ["a", "a-b"]);
        assert_eq!(names("/a"), ["b"]);
        assert_eq!(files.write("/a/b", b"", false, now), Err(FileError::IsDirectory));
        assert_eq!(files.write("/x/y", b"", false, now), Err(FileError::NotFound));
        assert_eq!(files.make_directories("/a/b/f/g", now), Err(FileError::NotDirectory));
        assert_eq!(files.remove("/a", false), Err(FileError::IsDirectory));
        assert_eq!(files.remove_directory("/a"), Err(FileError::NotEmpty));
        assert_eq!(files.remove("/", true), Err(FileError::Busy));
        files.remove("/a", true).unwrap();
        assert_eq!(names("/"), ["a-b"]);
    }

    #[test]
    fn the_disk_gets_full_and_empty_again() {
        let (files, now) = (files(), Timestamp::UNIX_EPOCH);
        let half = vec![0; CAPACITY / 2 + 1];
        files.write("/a", &half, false, now).unwrap();
        assert_eq!(files.write("/b", &half, false, now), Err(FileError::NoSpace));
        files.write("/a", &half, false, now).unwrap();
        files.remove("/a", false).unwrap();
        files.write("/b", &half, false, now).unwrap();
    }
}
