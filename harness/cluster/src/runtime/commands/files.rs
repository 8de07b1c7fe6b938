//! Programs that change files: `mkdir`, `rm`, `rmdir`, `touch`, `cp`, `chmod`.

use super::options;
use crate::runtime::{files::FileError, process::Process};

pub(super) async fn mkdir(p: Process) -> i32 {
    let (letters, paths) = options(p.arguments());
    let mut code = 0;
    for path in paths {
        let full = p.path(path);
        let made = if letters.contains('p') {
            p.world.files.make_directories(&full, p.world.now())
        } else {
            p.world.files.make_directory(&full, p.world.now())
        };
        if let Err(error) = made {
            code = p.complain(format!("can't create directory '{path}': {error}")).await;
        }
    }
    code
}

pub(super) async fn rm(p: Process) -> i32 {
    let (letters, paths) = options(p.arguments());
    let recursive = letters.contains(['r', 'R']);
    let mut code = 0;
    for path in paths {
        match p.world.files.remove(&p.path(path), recursive) {
            Err(FileError::NotFound) if letters.contains('f') => {}
            Err(error) => code = p.complain(format!("can't remove '{path}': {error}")).await,
            Ok(()) => {}
        }
    }
    code
}

pub(super) async fn rmdir(p: Process) -> i32 {
    let mut code = 0;
    for path in options(p.arguments()).1 {
        if let Err(error) = p.world.files.remove_directory(&p.path(path)) {
            code = p.complain(format!("'{path}': {error}")).await;
        }
    }
    code
}

pub(super) async fn touch(p: Process) -> i32 {
    let mut code = 0;
    for path in options(p.arguments()).1 {
        let full = p.path(path);
        let now = p.world.now();
        if p.world.files.get(&full).is_ok() {
            p.world.files.set(&full, None, Some(now));
        } else if let Err(error) = p.world.files.write(&full, b"", true, now) {
            code = p.complain(format!("{path}: {error}")).await;
        }
    }
    code
}

/// One file to another, or into a directory.
pub(super) async fn cp(p: Process) -> i32 {
    let [from, to] = options(p.arguments()).1 else {
        return p.complain("need a source and a destination").await;
    };
    let mut target = p.path(to);
    if p.world.files.is_directory(&target) {
        target = format!("{target}/{}", from.rsplit('/').next().unwrap_or(from));
    }
    let copied = p
        .world
        .files
        .read(&p.path(from))
        .and_then(|content| p.world.files.write(&target, &content, false, p.world.now()));
    match copied {
        Ok(()) => 0,
        Err(error) => p.complain(format!("can't copy '{from}': {error}")).await,
    }
}

pub(super) async fn chmod(p: Process) -> i32 {
    let Some((mode, paths)) = p.arguments().split_first() else {
        return p.complain("need a mode and a file").await;
    };
    let mut code = 0;
    for path in paths {
        let full = p.path(path);
        match p.world.files.get(&full) {
            Ok(node) => {
                let mode = match mode.as_str() {
                    "+x" | "a+x" => Some(node.mode | 0o111),
                    octal => u32::from_str_radix(octal, 8).ok().map(|m| m & 0o7777),
                };
                match mode {
                    Some(mode) => p.world.files.set(&full, Some(mode), None),
                    None => return p.complain("invalid mode").await,
                }
            }
            Err(error) => code = p.complain(format!("{path}: {error}")).await,
        }
    }
    code
}
