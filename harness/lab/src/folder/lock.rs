//! The lock that says whose folder it is.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use super::write::failed;
use crate::LabError;

/// The file that is locked.
pub(super) const NAME: &str = "lab.lock";

/// The held lock; dropping it, or the end of the process, gives it back.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, LabError> {
        let path = folder.join(NAME);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LabError::AlreadyRunning { dir: folder.to_owned(), pid: owner(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        written.and_then(|()| file.flush()).map_err(failed("write", &path))?;
        Ok(Self(file))
    }

    pub(super) fn release(&self) {
        drop(self.0.unlock());
    }
}

/// The process that the holder has written down; 0 if it has not yet.
fn owner(file: &mut File) -> u32 {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok().and_then(|_| text.trim().parse().ok()).unwrap_or(0)
}
