//! `cluster.yaml`: what the cluster is to be, as `kind` wants to read it.

use super::super::KindError;

/// The file with its gaps.
const CLUSTER: &str = include_str!("../../../../../../kind-config/cluster.yaml");

/// The longest name; with what `kind` adds to it a node's name still has to be a host name.
const LONGEST_NAME: usize = 40;

/// The most nodes: they share one machine.
const MOST_NODES: usize = 16;

/// What a cluster is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterSpec {
    /// How many nodes: one with the control plane, the others workers.
    pub(crate) nodes: usize,
    /// The nodes' image; without one, what this version of `kind` takes by itself.
    pub(crate) image: Option<String>,
}

impl ClusterSpec {
    /// The file for a cluster of a name.
    pub(crate) fn render(&self, name: &str) -> Result<String, KindError> {
        check_name(name)?;
        if !(1..=MOST_NODES).contains(&self.nodes) {
            return Err(KindError::Invalid(format!(
                "a cluster has 1 to {MOST_NODES} nodes, not {}; give another number with --nodes",
                self.nodes
            )));
        }
        let image = self.image.as_deref().map(image_line).transpose()?.unwrap_or_default();
        let roles = (0..self.nodes).map(|n| if n == 0 { "control-plane" } else { "worker" });
        let nodes: Vec<String> = roles.map(|role| format!("- role: {role}{image}")).collect();
        Ok(CLUSTER.replace("{{name}}", name).replace("{{nodes}}", &nodes.join("\n")))
    }
}

/// Whether a cluster may be called this.
pub(crate) fn check_name(name: &str) -> Result<(), KindError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    let good = name.len() <= LONGEST_NAME
        && ends.iter().all(|end| end.is_some_and(plain))
        && name.bytes().all(|byte| plain(byte) || byte == b'-');
    good.then_some(()).ok_or_else(|| {
        KindError::Invalid(format!(
            "{name:?} can't be the name of a cluster: up to {LONGEST_NAME} small letters, digits and dashes, \
             beginning and ending with a letter or digit"
        ))
    })
}

fn image_line(image: &str) -> Result<String, KindError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte);
    if image.is_empty() || !image.bytes().all(good) {
        return Err(KindError::Invalid(format!("{image:?} is not the name of a node image")));
    }
    Ok(format!("\n  image: \"{image}\""))
}
