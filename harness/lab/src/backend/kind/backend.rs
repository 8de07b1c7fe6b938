//! A real cluster of the lab's own: what the lab can do with it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use pulldrill_clock::{Clock, mailbox};
use pulldrill_cluster::store::{Store, StoreChanged};
use tokio_util::sync::CancellationToken;

use super::network::KindNodes;
use crate::{
    LabError,
    backend::{Access, Lifecycle, Namespaces, NodeImages, Observe, Time, mirror::Mirror, trainee},
};

/// A running kind cluster.
pub(super) struct KindCluster {
    pub(super) client: kube::Client,
    pub(super) trainee: String,
    pub(super) versions: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) mirror: Mirror,
    pub(super) nodes: KindNodes,
    pub(super) clock: Clock,
    pub(super) dir: PathBuf,
    pub(super) stop: CancellationToken,
}

impl Access for KindCluster {
    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn trainee_kubeconfig(&self) -> String {
        self.trainee.clone()
    }

    fn dialect(&self) -> (String, bool) {
        (self.versions.clone(), true)
    }
}

impl Observe for KindCluster {
    fn objects(&self) -> &Arc<Store> {
        self.mirror.objects()
    }

    fn changes(&self) -> mailbox::Receiver<StoreChanged> {
        let (sender, receiver) = mailbox::mailbox(&self.clock);
        self.mirror.objects().subscribe(sender);
        receiver
    }
}

#[async_trait]
impl Namespaces for KindCluster {
    async fn prepare(&self, namespace: &str) -> Result<(), LabError> {
        trainee::let_into(&self.client, namespace, &self.labels).await
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        // A pod of the trainee's must not pass for a node.
        labels.insert("pod-security.kubernetes.io/enforce".into(), "baseline".into());
        labels
    }
}

#[async_trait]
impl NodeImages for KindCluster {
    async fn forget_images(&self, host: &str) -> Result<(), LabError> {
        self.nodes.forget_images(host).await
    }
}

impl Time for KindCluster {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn can_advance(&self) -> bool {
        false
    }
}

impl Lifecycle for KindCluster {
    fn down(&self) -> BoxFuture<'_, Result<(), LabError>> {
        self.stop.cancel();
        Box::pin(async {
            self.mirror.ended().await;
            super::sweep_folder(&self.dir).await.map(drop)
        })
    }
}
