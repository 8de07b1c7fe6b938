//! Files that are there whole or not at all, however the process or the machine ends: written beside, synchronised,
//! renamed, and the folder synchronised too, for a name is part of the folder and not of the file.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};

use pulldrill_clock::secret;

/// Makes a folder and those above it, for good.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = path.parent().ok_or(error)?;
            make_folder(above)?;
            return make_folder(path);
        }
        Err(error) => return Err(error),
    }
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder last.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere folders are no files; their names last by themselves.
#[cfg(not(unix))]
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes a new file and makes its bytes last, not yet its name.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a file in place of the one that may be there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let beside = folder.join(format!(".{}.new", secret::uid()));
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _what_went_wrong_first_is_told = fs::remove_file(&beside);
    }
    written?;
    sync_folder(folder)
}

/// Gives a file a second name; where the file system has no such thing, or has run out of it, the second name gets a
/// copy. Fine when the name is there.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::TooManyLinks | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            copy(from, to)
        }
        other => other,
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().ok_or(ErrorKind::InvalidInput)?;
    let beside = folder.join(format!(".{}.new", secret::uid()));
    let copied = fs::copy(from, &beside)
        .and_then(|_| File::options().write(true).open(&beside)?.sync_all())
        .and_then(|()| fs::rename(&beside, to));
    if copied.is_err() {
        let _what_went_wrong_first_is_told = fs::remove_file(&beside);
    }
    copied
}

/// Removes a file; fine when there is none.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a folder, sorted; none when there is no such folder.
pub(super) fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // What is no text was not made here.
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_linked_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        let (one, two) = (deep.join("one"), deep.join("two"));
        replace(&one, b"first").unwrap();
        link(&one, &two).unwrap();
        link(&one, &two).unwrap();
        replace(&one, b"second").unwrap();
        assert_eq!(fs::read(&two).unwrap(), b"first", "the old file lives on under its other name");
        copy(&one, &two).unwrap();
        assert_eq!(fs::read(&two).unwrap(), b"second");
        assert_eq!(names(&deep).unwrap(), ["one", "two"], "nothing is left beside");
        remove(&one).unwrap();
        remove(&one).unwrap();
        assert!(names(&folder.path().join("none")).unwrap().is_empty());
        fs::write(&one, "").unwrap();
        assert!(make_folder(&one).is_err() && make_folder(&one.join("x")).is_err());
    }
}
