//! Everything that a lab makes on somebody's cluster, as one list: what `--dry-run` prints is what is made.

use serde_json::Value;

use super::{
    manifests,
    names::{Names, PROBE},
    ports::Ports,
    probe::{self, BY_NAME, BY_PORT, REPOSITORY, tag},
};
use crate::{ExistingOptions, LabError, inject::Objects};

/// What is drawn anew for every run.
#[derive(Clone)]
pub(crate) struct Drawn {
    /// The mark of the run.
    pub(crate) run: String,
    /// The token of the registry's admin API.
    pub(crate) token: String,
}

impl Drawn {
    /// What stands in a plan that is only shown.
    pub(crate) fn shown() -> Self {
        Self { run: "DRAWN-WHEN-IT-IS-MADE".into(), token: "DRAWN-WHEN-IT-IS-MADE".into() }
    }
}

/// The list.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What stays as long as the lab, in the order in which it is made.
    pub(crate) lasting: Vec<Value>,
    /// What is there only for a look at the cluster.
    pub(crate) probes: Vec<Value>,
}

impl Plan {
    /// The list for drills in these namespaces, and nodes that are to be looked at.
    pub(crate) fn new(
        options: &ExistingOptions,
        ports: &Ports,
        namespaces: &[String],
        nodes: &[String],
        drawn: &Drawn,
    ) -> Result<Self, LabError> {
        let image = options.registry_image.as_deref().ok_or_else(|| {
            LabError::Invalid(
                "a lab on an existing cluster wants an image with the pulldrill command that the cluster can pull: --registry-image IMAGE".into(),
            )
        })?;
        let names = Names::new(&options.namespace_prefix);
        let all: Vec<u16> = ports.all().collect();
        let access = &options.registry_access;
        let mut lasting = vec![
            manifests::own_namespace(&names, &drawn.run, options.allow_node_access),
            manifests::admin_secret(&names, &drawn.token),
            manifests::trainee(&names),
            manifests::registry(&names, image, access, &all),
            manifests::service(&names, access, &all),
        ];
        if options.allow_node_access {
            lasting.push(manifests::nodes(&names, image, nodes));
        }
        lasting.extend(manifests::look_around(&names, namespaces));
        for namespace in namespaces {
            lasting.push(manifests::drill_namespace(&names, namespace));
            lasting.extend(manifests::drill_furniture(&names, namespace));
        }
        let mut ways = vec![(BY_PORT, ports.probe().0)];
        if options.allow_node_access {
            ways.push((BY_NAME, probe::name(&names)));
        }
        let probe = |(way, host): (&'static str, String)| {
            let of_node = |(nth, node): (usize, &String)| {
                let image = format!("{host}/{REPOSITORY}:{}", tag(nth));
                manifests::probe(&names, way, nth, node, &image)
            };
            nodes.iter().enumerate().map(of_node).collect::<Vec<_>>()
        };
        Ok(Self { lasting, probes: ways.into_iter().flat_map(probe).collect() })
    }

    /// As a file that kubectl can read.
    pub(crate) fn yaml(&self) -> Result<String, LabError> {
        let mut text = String::new();
        for (part, remark) in [
            (&self.lasting, None),
            (&self.probes, Some("# Only until it is known how the nodes reach the registries.")),
        ] {
            for object in part {
                text.push_str("---\n");
                text.extend(remark.map(|remark| format!("{remark}\n")));
                let yaml = serde_saphyr::to_string(object).map_err(|error| LabError::part("plan", error))?;
                text.push_str(&yaml);
                if !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        Ok(text)
    }

    /// The namespaces that it makes.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let all = self.lasting.iter().filter(|object| object["kind"] == "Namespace");
        all.filter_map(|object| Some(object["metadata"]["name"].as_str()?.to_owned())).collect()
    }

    /// Whether pods on the nodes are of it.
    pub(crate) fn has_agents(&self) -> bool {
        self.lasting.iter().any(|object| object["kind"] == "DaemonSet")
    }

    /// Makes what lasts.
    pub(crate) async fn apply(&self, objects: &Objects) -> Result<(), LabError> {
        make(objects, &self.lasting).await
    }

    /// Makes what is there for a look at the cluster in one of the ways.
    pub(crate) async fn apply_probes(&self, objects: &Objects, way: &str) -> Result<(), LabError> {
        make(objects, self.probes.iter().filter(|object| object["metadata"]["labels"][PROBE] == way)).await
    }
}

async fn make(objects: &Objects, list: impl IntoIterator<Item = &Value>) -> Result<(), LabError> {
    for object in list {
        objects.create(object).await.map_err(|error| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
            LabError::part("cluster", format!("{kind} {name} could not be made: {error}"))
        })?;
    }
    Ok(())
}
