//! Where a lab's cluster lives: from the options of the command line to those of the lab, and back again.

use pulldrill_lab::{BackendKind, ExistingOptions, KindOptions, LabOptions};

use crate::args::{Backend, Place};

/// The backend that the options name.
pub(super) fn backend(place: &Place) -> BackendKind {
    match place.backend {
        Backend::Embedded => BackendKind::Embedded,
        Backend::Kind => BackendKind::Kind(KindOptions {
            name: place.name.clone(),
            nodes: place.nodes.unwrap_or(1),
            node_image: place.node_image.clone(),
            kind_program: place.kind_binary.clone(),
            registry_image: place.registry_image.clone(),
            registry_program: place.registry_binary.clone(),
        }),
        Backend::Existing => BackendKind::Existing(ExistingOptions {
            context: place.context.clone(),
            kubeconfig: place.kubeconfig.iter().cloned().collect(),
            namespace_prefix: place.namespace_prefix.clone(),
            registry_image: place.registry_image.clone(),
            registry_access: place.registry_access.clone(),
            allow_node_access: place.allow_node_access,
        }),
    }
}

/// The names of the embedded nodes.
pub(super) fn nodes(place: &Place) -> Vec<String> {
    match place.nodes {
        Some(count) => (1..=count).map(|n| format!("node-{n}")).collect(),
        None => LabOptions::default().nodes,
    }
}

/// A backend that is asked about, not made.
pub(super) fn any(backend: Backend, allow_node_access: bool) -> BackendKind {
    match backend {
        Backend::Embedded => BackendKind::Embedded,
        Backend::Kind => BackendKind::Kind(KindOptions::default()),
        Backend::Existing => {
            BackendKind::Existing(ExistingOptions { allow_node_access, ..ExistingOptions::default() })
        }
    }
}

/// The options once more, as words of a command line.
pub(super) fn again(place: &Place) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
    };
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let backend = match place.backend {
        Backend::Embedded => "embedded",
        Backend::Kind => "kind",
        Backend::Existing => "existing",
    };
    add("backend", Some(backend.to_owned()));
    add("nodes", place.nodes.map(|nodes| nodes.to_string()));
    add("name", Some(place.name.clone()));
    add("node-image", place.node_image.clone());
    add("kind-binary", path(&place.kind_binary));
    add("registry-image", place.registry_image.clone());
    add("registry-binary", path(&place.registry_binary));
    add("context", place.context.clone());
    add("kubeconfig", path(&place.kubeconfig));
    add("namespace-prefix", Some(place.namespace_prefix.clone()));
    add("registry-access", Some(place.registry_access.to_string()));
    if place.allow_node_access {
        words.push("--allow-node-access".into());
    }
    words
}
