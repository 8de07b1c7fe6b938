//! An image as the archive that `docker load` takes: a description, a configuration, one layer.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::KindError;

/// Where libraries are in the image.
pub(super) const LIBRARIES: &str = "/lib/pulldrill";

/// What an image is, apart from its files.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) labels: HashMap<String, String>,
    pub(super) architecture: String,
}

/// Writes the archive of an image with these files: where they are in the image, and what they are copied from.
pub(super) fn write(image: &Image, files: &[(PathBuf, PathBuf)]) -> Result<File, KindError> {
    let failed = |source| KindError::File { action: "write", path: "the image's archive".into(), source };
    let mut layer = layer(files)?;
    let digest = digest(&mut layer).map_err(failed)?;
    let config = config(image, &digest).to_string();
    let config_name = format!("{}.json", hex(&Sha256::digest(config.as_bytes())));
    let manifest = json!([{ "Config": config_name, "RepoTags": [image.name], "Layers": ["layer.tar"] }]);
    let pack = |layer: &mut File| {
        let mut archive = tar::Builder::new(tempfile::tempfile()?);
        add(&mut archive, &config_name, config.as_bytes())?;
        add(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
        archive.append_file("layer.tar", layer)?;
        archive.into_inner()
    };
    pack(&mut layer).map_err(failed)
}

fn layer(files: &[(PathBuf, PathBuf)]) -> Result<File, KindError> {
    let temporary = tempfile::tempfile().map_err(KindError::file("make", "a temporary file"))?;
    let mut layer = tar::Builder::new(temporary);
    for (name, from) in files {
        append(&mut layer, name, from).map_err(KindError::file("pack", from))?;
    }
    let mut layer = layer.into_inner().map_err(KindError::file("write", "the image's layer"))?;
    layer.seek(SeekFrom::Start(0)).map_err(KindError::file("read", "the image's layer"))?;
    Ok(layer)
}

fn append(layer: &mut tar::Builder<File>, name: &Path, from: &Path) -> std::io::Result<()> {
    let file = File::open(from)?;
    let mut header = header(file.metadata()?.len(), 0o755);
    layer.append_data(&mut header, name.strip_prefix("/").unwrap_or(name), file)
}

fn add<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    archive.append_data(&mut header(bytes.len() as u64, 0o644), name, bytes)
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header
}

fn config(image: &Image, layer: &str) -> serde_json::Value {
    json!({
        "architecture": image.architecture,
        "os": "linux",
        "config": {
            "Entrypoint": [super::PROGRAM],
            "Env": ["PATH=/", format!("LD_LIBRARY_PATH={LIBRARIES}")],
            "Labels": image.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created_by": "pulldrill" }],
    })
}

/// The digest of a file, which is then at its beginning.
fn digest(file: &mut File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _always_fits = write!(text, "{byte:02x}");
        text
    })
}
