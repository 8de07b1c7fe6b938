//! What was done to bring a drill about, as one YAML file: the manifests that were applied, and between them,
//! as comments, the steps that are no manifests.
//!
//! Tokens are issued while a drill is injected; they are not in this file.

use std::fmt::Write;

use pulldrill_scenarios::{Action, Variant};

/// The file. It tells a drill's cause.
pub(crate) fn applied(variant: &Variant) -> String {
    let mut text = String::new();
    for step in &variant.history {
        let at = step.at;
        match &step.action {
            Action::Apply(path) => {
                let manifest = variant.manifests.get(path).map_or("", String::as_str);
                let separator = if manifest.starts_with("---") { "" } else { "---\n" };
                let _never = writeln!(text, "# {at:#}: apply {path}\n{separator}{}", manifest.trim_end());
            }
            action => {
                let action = serde_json::to_string(action).unwrap_or_default();
                let _never = writeln!(text, "# {at:#}: {action}");
            }
        }
    }
    text
}
