//! Writing files with the right mode, each so that nobody ever sees half of it.

use std::{fs, io, path::Path};

use crate::LabError;

/// Makes a [`LabError::File`] of what the system said.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> LabError + use<> {
    let path = path.to_owned();
    move |source| LabError::File { action, path: path.clone(), source }
}

/// Makes a folder that only its owner can read.
pub(crate) fn make_folder(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(failed("make the folder", path))?;
    set_mode(path, 0o700)
}

/// Writes a file that only its owner can read.
///
/// # Errors
/// [`LabError::File`].
pub fn private(path: &Path, text: &str) -> Result<(), LabError> {
    write(path, text, 0o600)
}

/// Writes a file that everybody may read.
pub(crate) fn public(path: &Path, text: &str) -> Result<(), LabError> {
    write(path, text, 0o644)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), LabError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), LabError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    remove(&temporary)?;
    create(&temporary, mode)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(failed("write", &temporary))?;
    fs::rename(&temporary, path).map_err(failed("write", path))
}

#[cfg(unix)]
fn create(path: &Path, mode: u32) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _mode: u32) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed("set the mode of", path))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> Result<(), LabError> {
    Ok(())
}
