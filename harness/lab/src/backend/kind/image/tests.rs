//! Programs of this machine as images, and what is refused.

use std::path::PathBuf;

use super::*;

fn image(architecture: &str) -> archive::Image {
    archive::Image { name: "x:y".into(), labels: [].into(), architecture: architecture.into() }
}

#[test]
fn the_running_program_is_packed_with_its_loader_and_libraries() {
    let this = std::env::current_exe().unwrap();
    let program = program::read(&std::fs::read(&this).unwrap()).unwrap();
    let mut archive = tar::Archive::new(pack(&this, &image(&program.architecture)).unwrap());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with("layer.tar") {
            let mut layer = Vec::new();
            entry.read_to_end(&mut layer).unwrap();
            let mut layer = tar::Archive::new(&layer[..]);
            names = layer
                .entries()
                .unwrap()
                .map(|e| PathBuf::from("/").join(e.unwrap().path().unwrap()))
                .collect();
        }
    }
    assert!(names.contains(&PathBuf::from(PROGRAM)));
    if let Some(loader) = program.interpreter {
        assert!(names.contains(&loader), "{names:?}");
        for library in program.needed.iter().filter(|name| !loader.ends_with(name)) {
            assert!(names.contains(&Path::new(archive::LIBRARIES).join(library)), "{library}: {names:?}");
        }
    }
}

#[test]
fn a_static_program_is_all_there_is() {
    // The smallest program header says: no loader, no libraries.
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0];
    bytes.resize(64, 0);
    (bytes[52], bytes[54], bytes[58]) = (64, 56, 64);
    let program = program::read(&bytes).unwrap();
    assert_eq!(program, program::Program { architecture: "amd64".into(), ..Default::default() });
    assert!(libraries::of(Path::new("/x"), &program).unwrap().is_empty());
}

#[test]
fn what_cannot_run_there_is_refused_with_the_way_out() {
    let this = std::env::current_exe().unwrap();
    let wrong = pack(&this, &image("sparc")).unwrap_err().to_string();
    assert!(wrong.contains("sparc") && wrong.contains("--registry-image"), "{wrong}");
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        pack(&file, &image("amd64")).unwrap_err().to_string()
    };
    assert!(refused("script", b"#!/bin/sh\n").contains("not a Linux program"));
    assert!(refused("cut", &std::fs::read(&this).unwrap()[..4096]).contains("damaged"));
    let mac = [
        0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ];
    assert!(refused("mac", &mac).contains("macOS"));
}
