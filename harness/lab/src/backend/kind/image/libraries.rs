//! Finding the libraries of a program the way its loader does.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::program::{self, Program};

/// Where the loader looks when nothing else says where.
const USUAL: [&str; 6] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib64", "/usr/local/lib"];

/// Every library that a program needs, also those that its libraries need: name and file.
pub(super) fn of(file: &Path, program: &Program) -> Result<BTreeMap<String, PathBuf>, String> {
    if program.interpreter.is_none() {
        return Ok(BTreeMap::new());
    }
    let configured = configured(Path::new("/etc/ld.so.conf"));
    let usual: Vec<PathBuf> = configured.into_iter().chain(USUAL.map(PathBuf::from)).collect();
    find_all(file, program, &usual)
}

fn find_all(file: &Path, program: &Program, usual: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, String> {
    let loader = program.interpreter.as_ref().and_then(|path| path.file_name()?.to_str());
    let mut found = BTreeMap::new();
    let mut open = vec![(file.to_owned(), program.clone())];
    while let Some((from, reader)) = open.pop() {
        for name in &reader.needed {
            if found.contains_key(name) || Some(name.as_str()) == loader {
                continue;
            }
            // A loader knows the folders of whoever needs a library, then those of the program, then the usual.
            let own = folders(&from, &reader).chain(folders(file, program));
            let (path, library) = own
                .chain(usual.iter().cloned())
                .find_map(|folder| candidate(&folder.join(name), &program.architecture))
                .ok_or_else(|| format!("its library {name} is nowhere to be found"))?;
            found.insert(name.clone(), path.clone());
            open.push((path, library));
        }
    }
    Ok(found)
}

/// A file, if it is a library for the right processor.
fn candidate(path: &Path, architecture: &str) -> Option<(PathBuf, Program)> {
    let library = program::read(&std::fs::read(path).ok()?).ok()?;
    (library.architecture == architecture).then(|| (path.to_owned(), library))
}

/// The folders that a program or library names itself.
fn folders(file: &Path, program: &Program) -> impl Iterator<Item = PathBuf> {
    let origin = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let origin = origin.parent().unwrap_or(Path::new("/")).display().to_string();
    program
        .folders
        .iter()
        .map(move |folder| PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin)))
}

/// The folders of the loader's configuration, and of the files that it includes.
fn configured(file: &Path) -> Vec<PathBuf> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .flat_map(|line| match line.strip_prefix("include ") {
            Some(pattern) => {
                included(file, pattern.trim()).iter().flat_map(|file| configured(file)).collect()
            }
            None if line.starts_with('/') => vec![PathBuf::from(line)],
            None => Vec::new(),
        })
        .collect()
}

/// The files of an `include` line; only the usual form, all files of a folder with one ending.
fn included(from: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let ending = name.trim_start_matches('*');
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(ending)))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_files_are_read_in_order_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("conf.d")).unwrap();
        std::fs::write(at("ld.so.conf"), "# comment\n/first\ninclude conf.d/*.conf\n/last # why\n").unwrap();
        std::fs::write(at("conf.d/b.conf"), "/b\n").unwrap();
        std::fs::write(at("conf.d/a.conf"), "/a\n").unwrap();
        std::fs::write(at("conf.d/c.bak"), "/c\n").unwrap();
        let expected: Vec<PathBuf> = ["/first", "/a", "/b", "/last"].map(PathBuf::from).into();
        assert_eq!(configured(&at("ld.so.conf")), expected);
    }

    #[test]
    fn a_library_that_is_missing_is_named() {
        let program = Program {
            architecture: "amd64".into(),
            interpreter: Some("/lib/ld.so".into()),
            needed: vec!["ld.so".into(), "libnowhere.so.7".into()],
            folders: Vec::new(),
        };
        let error = find_all(Path::new("/x"), &program, &[]).unwrap_err();
        assert!(error.contains("libnowhere.so.7"), "{error}");
    }
}
