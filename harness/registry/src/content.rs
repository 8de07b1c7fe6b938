//! What an image contains, whatever its manifest says: its layers are looked into.

use std::{
    collections::HashMap,
    io::{self, Read as _},
};

use flate2::read::MultiGzDecoder;
use parking_lot::RwLock;
use serde_json::Value;

use crate::{digest::Algorithm, image::Content, store::Store};

/// How much a layer may come to when unpacked, to be looked at.
const LARGEST_LAYER: u64 = 1 << 30;

/// What manifests whose parts are all there have been found to contain.
#[derive(Default)]
pub(crate) struct Contents(RwLock<HashMap<String, Option<Content>>>);

impl Contents {
    /// What an image contains; of an index, what a node takes from it: its image for the usual platform, else one
    /// that names no platform. Nothing, when its layers are not what its configuration says: anybody can
    /// write a manifest.
    pub(crate) fn of(&self, store: &Store, digest: &str, usual: &str) -> Option<Content> {
        let manifest = json(store, digest)?;
        let Some(entries) = manifest["manifests"].as_array() else {
            return self.proven(store, digest, &manifest);
        };
        let (os, architecture) = usual.split_once('/').unwrap_or(("linux", usual));
        let usual = |e: &&Value| e["platform"]["os"] == os && e["platform"]["architecture"] == architecture;
        let plain = |e: &&Value| e["platform"].is_null();
        let entry = entries.iter().find(usual).or_else(|| entries.iter().find(plain));
        let digest = entry.or_else(|| entries.first())?["digest"].as_str()?;
        self.proven(store, digest, &json(store, digest)?)
    }

    /// The content of an image's manifest, looked into once.
    fn proven(&self, store: &Store, digest: &str, manifest: &Value) -> Option<Content> {
        if let Some(known) = self.0.read().get(digest) {
            return known.clone();
        }
        let config_digest = manifest["config"]["digest"].as_str()?.to_owned();
        let config = json(store, &config_digest)?;
        let layers = manifest["layers"].as_array()?.iter().map(|layer| layer["digest"].as_str());
        let layers: Vec<&str> = layers.collect::<Option<_>>()?;
        let diff_ids = config["rootfs"]["diff_ids"].as_array()?;
        let diff_ids: Vec<String> = diff_ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let mut fit = layers.len() == diff_ids.len();
        for (layer, diff_id) in layers.iter().zip(&diff_ids) {
            fit &= unpacks_to(store, layer, diff_id).ok().flatten()?;
        }
        let content = fit.then_some(Content { config_digest, diff_ids });
        self.0.write().insert(digest.to_owned(), content.clone());
        content
    }
}

fn json(store: &Store, digest: &str) -> Option<Value> {
    serde_json::from_slice(&store.read(digest).ok()??).ok()
}

/// Whether a layer, as it is or unpacked, has this digest; nothing when it is not there.
fn unpacks_to(store: &Store, layer: &str, diff_id: &str) -> io::Result<Option<bool>> {
    let Some(packed) = store.get(layer)? else { return Ok(None) };
    if layer == diff_id {
        return Ok(Some(true));
    }
    let Some(algorithm) = Algorithm::of(diff_id) else { return Ok(Some(false)) };
    let unpacked = MultiGzDecoder::new(packed.reader()).take(LARGEST_LAYER);
    Ok(Some(algorithm.digest_of(unpacked).is_ok_and(|found| found == diff_id)))
}
