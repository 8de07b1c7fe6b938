//! The registry's image, made on the spot from a program file of our own, so that nothing is pulled.
//!
//! A statically linked program is all there is in it; a dynamically linked one comes with its loader and libraries.

mod archive;
mod libraries;
mod program;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bollard::query_parameters::ImportImageOptions;
use bytes::Bytes;
use futures::TryStreamExt;

use super::{KindError, engine::Engine, error::Asked, owner::Owner};

/// Where the program is in the image.
pub(crate) const PROGRAM: &str = "/pulldrill";

/// Makes the registry's image for a lab: its name.
///
/// `program` is a Linux program for the engine's processor; without one, the running program.
pub(crate) async fn build(
    engine: &Engine,
    owner: &Owner,
    program: Option<&Path>,
) -> Result<String, KindError> {
    let name = owner.image();
    build_named(engine, &name, owner.labels(), program).await?;
    Ok(name)
}

/// Makes the registry's image under a name, for whoever wants to keep it.
pub(crate) async fn build_named(
    engine: &Engine,
    name: &str,
    labels: HashMap<String, String>,
    program: Option<&Path>,
) -> Result<(), KindError> {
    let file = match program {
        Some(file) => file.to_owned(),
        None => std::env::current_exe().map_err(KindError::file("find", "the running program"))?,
    };
    let image =
        archive::Image { name: name.to_owned(), labels, architecture: engine.architecture().to_owned() };
    let packing = tokio::task::spawn_blocking(move || pack(&file, &image));
    let archive = packing.await.map_err(|error| KindError::Invalid(error.to_string()))??;
    let loaded = engine
        .docker()
        .import_image(ImportImageOptions::default(), bollard::body_try_stream(chunks(archive)), None)
        .try_collect::<Vec<_>>()
        .await;
    loaded.asked(|| format!("load the image {name}"))?;
    Ok(())
}

/// The archive of an image, ready to be read.
fn pack(file: &Path, image: &archive::Image) -> Result<std::fs::File, KindError> {
    let bytes = std::fs::read(file).map_err(KindError::file("read", file))?;
    let refused = |why: String| KindError::Binary { file: file.to_owned(), why };
    let program = program::read(&bytes).map_err(refused)?;
    if program.architecture != image.architecture {
        return Err(refused(format!(
            "it is for {} processors and the Docker engine's is {}",
            program.architecture, image.architecture
        )));
    }
    let libraries = libraries::of(file, &program).map_err(refused)?;
    let loader = program.interpreter.map(|path| (path.clone(), path));
    let mut files: Vec<(PathBuf, PathBuf)> = vec![(PROGRAM.into(), file.to_owned())];
    files.extend(loader);
    files.extend(libraries.into_iter().map(|(name, from)| (Path::new(archive::LIBRARIES).join(name), from)));
    let mut archive = archive::write(image, &files)?;
    archive.seek(SeekFrom::Start(0)).map_err(KindError::file("read", "the image's archive"))?;
    Ok(archive)
}

fn chunks(file: std::fs::File) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send {
    futures::stream::try_unfold(file, |mut file| async move {
        let reading = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; 1 << 20];
            let read = file.read(&mut piece)?;
            piece.truncate(read);
            Ok::<_, std::io::Error>((file, piece))
        });
        let (file, piece) = reading.await.map_err(std::io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    })
}
