//! The OCI distribution specification 1.1, duty by duty, over real TLS, for content in memory and on disk. Which test
//! shows which duty stands in `duties.yaml`; `table` keeps that honest.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod deleting;
mod errors;
mod manifests;
mod pull;
mod push;
mod referrers;
mod table;
mod tags;

use common::{Reply, World, local};
use http::{Request, request::Builder};
use pulldrill_registry::HostInfo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Makes a test of each function, once for each place where content may be.
macro_rules! on_each_store {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&crate::Open::with(crate::common::World::held()).await).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&crate::Open::with(crate::common::World::on_disk()).await).await;
            })*
        }
    };
}
pub(crate) use on_each_store;

/// A host of the plain personality where everybody may do everything.
pub(crate) struct Open {
    pub(crate) world: World,
    pub(crate) info: HostInfo,
}

impl Open {
    pub(crate) async fn with(world: World) -> Self {
        let info = world.host("r.example", "distribution", &[]).await;
        world.registry.set_accounts("r.example", Vec::new()).unwrap();
        Self { world, info }
    }

    pub(crate) async fn send(&self, request: Builder, body: &[u8]) -> Reply {
        self.world.send(&local(&self.info), request, body).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Reply {
        self.world.ask(&local(&self.info), method, path, "").await
    }

    /// The status of a GET.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.ask("GET", path).await.status.as_u16()
    }

    /// Pushes a blob; gives its descriptor.
    pub(crate) async fn blob(&self, repository: &str, body: &[u8]) -> Value {
        let digest = digest(body);
        let post = Request::post(format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
        assert_eq!(self.send(post, body).await.status, 201);
        json!({"mediaType": "application/octet-stream", "digest": digest, "size": body.len()})
    }

    /// An image manifest of one layer, whose parts are pushed.
    pub(crate) async fn image(&self, repository: &str, layer: &[u8]) -> Value {
        let mut config = self.blob(repository, b"{}").await;
        config["mediaType"] = CONFIG.into();
        let layer = self.blob(repository, layer).await;
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
    }

    /// Pushes a manifest of the type that it says it is.
    pub(crate) async fn put(&self, repository: &str, reference: &str, manifest: &Value) -> Reply {
        let media = manifest["mediaType"].as_str().unwrap_or(MANIFEST);
        self.put_as(repository, reference, media, manifest.to_string().as_bytes()).await
    }

    pub(crate) async fn put_as(&self, repository: &str, reference: &str, media: &str, body: &[u8]) -> Reply {
        let put = Request::put(format!("/v2/{repository}/manifests/{reference}"));
        self.send(put.header("content-type", media), body).await
    }

    /// Begins an upload; gives where it goes on.
    pub(crate) async fn upload(&self, repository: &str) -> String {
        let begun = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/")).await;
        assert_eq!(begun.status, 202);
        begun.header("location").to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(data)))
}

pub(crate) fn digest_512(data: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(data)))
}

/// The code of the first error of a refusal.
pub(crate) fn code(reply: &Reply) -> String {
    reply.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}
