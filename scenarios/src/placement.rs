//! Names that are not the scenario's to choose: where its registries are, and which namespaces are free.
//!
//! On a cluster whose nodes can be taught any name, nothing of this is needed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Document, Registry};

/// What is said of a variant by whoever runs it, in place of what the seed says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The hosts of registries as image references write them (`localhost:30501`), by their handles. Only a
    /// registry whose `host` is one parameter and nothing else can have another host; all other texts of the
    /// scenario follow that parameter.
    pub hosts: BTreeMap<String, String>,
    /// What stands before the namespace's name, with a hyphen between.
    pub namespace_prefix: Option<String>,
}

impl Placement {
    /// The parameters that have other values then. The error names the registry that can't be elsewhere.
    pub(crate) fn values(&self, document: &Document) -> Result<BTreeMap<String, Value>, String> {
        let mut values = BTreeMap::new();
        for (handle, host) in &self.hosts {
            let registry = document.registries.iter().find(|registry| registry.handle == *handle);
            let parameter = registry.and_then(Registry::host_parameter).ok_or_else(|| {
                format!("the registry {handle:?} can't be at {host}: its host is not one parameter alone")
            })?;
            values.insert(parameter.to_owned(), Value::String(host.clone()));
        }
        Ok(values)
    }

    /// The namespace, given the scenario's own name for it.
    pub(crate) fn namespace(&self, own: String) -> String {
        match &self.namespace_prefix {
            Some(prefix) => format!("{prefix}-{own}"),
            None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    fn elsewhere(handle: &str) -> Placement {
        Placement {
            hosts: [(handle.to_owned(), "localhost:30501".to_owned())].into(),
            namespace_prefix: Some("workshop".to_owned()),
        }
    }

    #[test]
    fn every_text_follows_a_registry_that_is_elsewhere() {
        let catalogue = Catalogue::embedded().unwrap();
        for id in ["wrong-tag", "missing-pull-secret"] {
            let scenario = catalogue.get(id).unwrap();
            let usual = scenario.variant(3).unwrap();
            let variant = scenario.variant_at(3, &elsewhere("main")).unwrap();
            assert_eq!(variant.registries[0].host, "localhost:30501");
            assert_eq!(variant.namespace, format!("workshop-{}", usual.namespace));
            assert_eq!((&variant.drill, &variant.accepted), (&usual.drill, &usual.accepted));
            let text = format!("{variant:?}");
            assert!(!text.contains(&usual.registries[0].host), "{id} still speaks of the usual host");
            assert!(variant.manifests["manifests/base.yaml"].contains("image: localhost:30501/"), "{id}");
            assert!(
                !text.contains(&format!("-n {} ", usual.namespace)),
                "{id} still works in the usual namespace"
            );
        }
    }

    #[test]
    fn a_registry_whose_name_is_the_point_stays_where_it_is() {
        let catalogue = Catalogue::embedded().unwrap();
        let scenario = catalogue.get("hub-rate-limit").unwrap();
        let handle = scenario.document().registries[0].handle.clone();
        let error = scenario.variant_at(3, &elsewhere(&handle)).unwrap_err().to_string();
        assert!(error.contains(&handle) && error.contains("can't be at localhost:30501"), "{error}");
        assert!(scenario.variant_at(3, &elsewhere("nobody")).is_err());
    }

    #[test]
    fn a_prefix_that_makes_no_namespace_is_refused() {
        let catalogue = Catalogue::embedded().unwrap();
        let placement =
            Placement { namespace_prefix: Some("Not A Label".to_owned()), ..Placement::default() };
        assert!(catalogue.get("wrong-tag").unwrap().variant_at(1, &placement).is_err());
    }
}
