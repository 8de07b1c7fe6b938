//! Whose a network, container or image is: the labels that everything made for a lab carries.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Carries the lab's id.
const LAB: &str = "dev.pulldrill.lab";

/// Carries the lab's name.
const NAME: &str = "dev.pulldrill.name";

/// A lab, as the owner of what is made for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Different for every lab there ever was.
    pub(crate) id: String,
    /// What its cluster is called.
    pub(crate) name: String,
}

impl Owner {
    /// The labels of what is made for this lab.
    pub(crate) fn labels(&self) -> HashMap<String, String> {
        [(LAB, &self.id), (NAME, &self.name)].map(|(key, value)| (key.to_owned(), value.clone())).into()
    }

    /// Finds what was made for this lab, and nothing else.
    pub(crate) fn filter(&self) -> HashMap<&'static str, Vec<String>> {
        HashMap::from([("label", vec![format!("{LAB}={}", self.id)])])
    }

    /// What this lab's network is called.
    pub(crate) fn network(&self) -> String {
        format!("pulldrill-{}", self.name)
    }

    /// What this lab's registry container is called.
    pub(crate) fn registry(&self) -> String {
        format!("pulldrill-{}-registry", self.name)
    }

    /// What the image of the registry is called.
    pub(crate) fn image(&self) -> String {
        format!("pulldrill-registry:{}", self.id)
    }
}
