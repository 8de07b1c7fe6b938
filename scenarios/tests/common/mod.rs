//! A good scenario in a folder of its own, with a change.

use std::fs;
use std::path::Path;

use pulldrill_scenarios::{Catalogue, ScenarioError, Variant};

/// What becomes of a scenario when `from` of one of its files has been replaced by `to`.
pub(crate) fn changed(scenario: &str, file: &str, from: &str, to: &str) -> Result<Variant, ScenarioError> {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(scenario), &folder.path().join(scenario));
    let path = folder.path().join(scenario).join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?} any more");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    load(folder.path())
}

/// The first scenario of a folder.
pub(crate) fn load(folder: &Path) -> Result<Variant, ScenarioError> {
    let catalogue = Catalogue::load_dir(folder)?;
    catalogue.iter().next().expect("a scenario").variant(1)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
