//! The way to the registry's admin API: a port of this machine, from which every connection goes through the
//! Kubernetes API into the registry's pod. No other way leads there.

use std::{net::SocketAddr, time::Duration};

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{Api, ResourceExt, api::ListParams};
use pulldrill_clock::real;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::LabError;

/// How long the registry may take to run.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What says that waiting is of no use. A kubelet that has not seen a new Secret yet (`CreateContainerConfigError`) will.
const HOPELESS: [&str; 4] = ["ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "CrashLoopBackOff"];

/// Waits for pods with these labels until those that are ready are enough; what they are enough for.
pub(crate) async fn running<T>(
    pods: &Api<Pod>,
    selector: &str,
    enough: impl Fn(&[&Pod]) -> Option<T>,
) -> Result<T, LabError> {
    let wanted = ListParams::default().labels(selector);
    let mut seen = "there is no pod yet".to_owned();
    let waited = real::timeout(PATIENCE, async {
        loop {
            let list = pods.list(&wanted).await.map_err(|error| failed(error.to_string()))?;
            let ready: Vec<&Pod> = list.items.iter().filter(|pod| is_ready(pod)).collect();
            if let Some(enough) = enough(&ready) {
                return Ok(enough);
            }
            for pod in &list.items {
                if let Some((reason, message)) = waiting(pod) {
                    // A back-off says less than what it is for.
                    if reason != "ImagePullBackOff" || !seen.contains("image") {
                        seen = format!("{reason}: {message}");
                    }
                    if HOPELESS.contains(&reason.as_str()) {
                        return Err(failed(format!(
                            "{} does not come up: {seen}; the image is what --registry-image says",
                            pod.name_any()
                        )));
                    }
                }
            }
            real::sleep(LOOK).await;
        }
    });
    waited.await.unwrap_or_else(|| Err(failed(format!("its pod does not run after {PATIENCE:?}: {seen}"))))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Why a pod's container waits: reason and message.
pub(crate) fn waiting(pod: &Pod) -> Option<(String, String)> {
    let all = |status: &PodStatus| {
        let containers = status.container_statuses.iter().flatten();
        status.init_container_statuses.iter().flatten().chain(containers).cloned().collect::<Vec<_>>()
    };
    let mut statuses = pod.status.iter().flat_map(all);
    let state = statuses.find_map(|status| status.state.as_ref()?.waiting.clone())?;
    Some((state.reason.unwrap_or_default(), state.message.unwrap_or_default()))
}

/// Opens a port of this machine that leads to a port of a pod, until it is told to stop.
pub(crate) async fn open(
    pods: Api<Pod>,
    pod: String,
    port: u16,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> Result<SocketAddr, LabError> {
    let listen = |source| LabError::Listen { address: "127.0.0.1:0".into(), source };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let connections = tasks.clone();
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, most likely: wait for some to come back.
                real::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (pods, pod, stop) = (pods.clone(), pod.clone(), stop.clone());
            connections.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = carry(&pods, &pod, port, stream) => {}
                }
            });
        }
    });
    Ok(address)
}

/// Carries one connection.
async fn carry(pods: &Api<Pod>, pod: &str, port: u16, mut near: TcpStream) {
    let _only_slower = near.set_nodelay(true);
    let mut forwarder = match pods.portforward(pod, &[port]).await {
        Ok(forwarder) => forwarder,
        Err(error) => {
            tracing::debug!(%error, pod, "the port could not be forwarded");
            return;
        }
    };
    if let Some(mut far) = forwarder.take_stream(port) {
        let _whoever_hangs_up = copy_bidirectional(&mut near, &mut far).await;
    }
    forwarder.abort();
}

fn failed(message: String) -> LabError {
    LabError::part("registry", message)
}
