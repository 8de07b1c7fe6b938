//! Reading dialect files. A file may be `like` another: it then holds only what is different.

use serde_json::{Map, Value};

use super::Dialect;

/// What every file says for itself, whatever it is like.
const ITS_OWN: [&str; 3] = ["id", "title", "verified"];

/// What is wrong with a dialect file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileError {
    /// It is no YAML mapping, or not one that makes a dialect.
    Broken { id: String, error: String },
    /// It lacks one of the fields that are never taken over.
    Lacks { id: String, field: &'static str },
    /// Two files have the same id.
    Twice { id: String },
    /// It is like a dialect that there is not.
    UnknownBase { id: String, base: String },
    /// It is, by way of others, like itself.
    Cycle { ids: Vec<String> },
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { id, error } => write!(f, "dialect file {id:?} is broken: {error}"),
            Self::Lacks { id, field } => {
                write!(f, "dialect file {id:?} has no {field}; it is never taken over")
            }
            Self::Twice { id } => write!(f, "two dialect files have the id {id:?}; rename one of them"),
            Self::UnknownBase { id, base } => {
                write!(f, "dialect file {id:?} is like {base:?}, which is the id of no dialect file")
            }
            Self::Cycle { ids } => write!(f, "dialect files are like one another: {}", ids.join(" → ")),
        }
    }
}

impl std::error::Error for FileError {}

/// A file as it is written.
struct Raw {
    id: String,
    like: Option<String>,
    fields: Map<String, Value>,
}

/// Reads all files, each by itself: a broken one takes with it only those that are like it.
pub(super) fn read(files: &[&str]) -> Vec<Result<Dialect, FileError>> {
    let raw: Vec<Result<Raw, FileError>> = files.iter().map(|file| Raw::parse(file)).collect();
    let good: Vec<&Raw> = raw.iter().filter_map(|raw| raw.as_ref().ok()).collect();
    let dialect = |raw: &Raw| {
        if good.iter().filter(|other| other.id == raw.id).count() > 1 {
            return Err(FileError::Twice { id: raw.id.clone() });
        }
        let whole = Value::Object(complete(raw, &good, &mut vec![raw.id.clone()])?);
        serde_json::from_value(whole)
            .map_err(|error| FileError::Broken { id: raw.id.clone(), error: error.to_string() })
    };
    let whole: Vec<Result<Dialect, FileError>> =
        raw.iter().filter_map(|raw| raw.as_ref().ok()).map(dialect).collect();
    whole.into_iter().chain(raw.into_iter().filter_map(Result::err).map(Err)).collect()
}

impl Raw {
    fn parse(file: &str) -> Result<Self, FileError> {
        let broken = |id: &str, error: String| FileError::Broken { id: id.to_owned(), error };
        let mut fields: Map<String, Value> =
            serde_saphyr::from_str(file).map_err(|error| broken("", error.to_string()))?;
        let id = fields.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(field) = ITS_OWN.into_iter().find(|field| !fields.contains_key(*field)) {
            return Err(FileError::Lacks { id, field });
        }
        let like = match fields.remove("like") {
            None => None,
            Some(Value::String(base)) => Some(base),
            Some(_) => return Err(broken(&id, "like is not the id of a dialect".to_owned())),
        };
        Ok(Self { id, like, fields })
    }
}

/// The fields of a file over those of its base, and so on. `path` has the ids on the way here.
fn complete(raw: &Raw, all: &[&Raw], path: &mut Vec<String>) -> Result<Map<String, Value>, FileError> {
    let Some(base) = &raw.like else { return Ok(raw.fields.clone()) };
    let looped = path.contains(base);
    path.push(base.clone());
    if looped {
        return Err(FileError::Cycle { ids: path.clone() });
    }
    let Some(found) = all.iter().find(|other| other.id == *base) else {
        return Err(FileError::UnknownBase { id: raw.id.clone(), base: base.clone() });
    };
    let mut whole = Value::Object(complete(found, all, path)?);
    json_patch::merge(&mut whole, &Value::Object(raw.fields.clone()));
    match whole {
        Value::Object(whole) => Ok(whole),
        _ => Ok(raw.fields.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = include_str!("k8s-1.36-containerd-2.1.yaml");

    fn file(id: &str, more: &str) -> String {
        format!("id: {id}\ntitle: A title\nverified: false\n{more}")
    }

    fn errors(files: &[&str]) -> Vec<String> {
        read(files).into_iter().filter_map(Result::err).map(|error| error.to_string()).collect()
    }

    #[test]
    fn a_file_has_what_its_base_has_but_for_what_it_says_itself() {
        let child = file(
            "child",
            "like: k8s-1.36-containerd-2.1\nserver: {emulationMajor: null, minor: '35'}\n\
             pods: {conditions: [Ready]}\ntexts: {started: 'Go {container}'}",
        );
        let grandchild = file("grandchild", "like: child\nkubelet: {durations: nanoseconds}");
        // Bases may come after those that are like them.
        let all: Vec<Dialect> = read(&[&grandchild, &child, BASE]).into_iter().map(Result::unwrap).collect();
        let [grandchild, child, base] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((child.id.as_str(), child.title.as_str(), child.verified), ("child", "A title", false));
        assert!(base.verified, "whether recordings prove it is never taken over");
        assert_eq!(child.server["emulationMajor"], Value::Null);
        assert_eq!((&child.server["minor"], &child.server["major"]), (&"35".into(), &"1".into()));
        assert_eq!(child.pods.conditions, ["Ready"], "lists are replaced");
        assert_eq!(child.text(super::super::Text::Started, &[("container", "app")]), "Go app");
        assert_eq!(child.runtime, base.runtime);
        assert_eq!(grandchild.pods, child.pods);
        assert_ne!(grandchild.kubelet, child.kubelet);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let lost = file("lost", "like: nowhere");
        let (one, two) = (file("one", "like: two"), file("two", "like: one"));
        let alone = file("alone", "like: alone");
        let cases: [(&[&str], &[&str]); 8] = [
            (
                &[&lost, BASE],
                &["dialect file \"lost\" is like \"nowhere\", which is the id of no dialect file"],
            ),
            (
                &[&one, &two],
                &[
                    "dialect files are like one another: one → two → one",
                    "dialect files are like one another: two → one → two",
                ],
            ),
            (&[&alone], &["dialect files are like one another: alone → alone"]),
            (
                &["id: short\ntitle: t\nlike: k8s-1.36-containerd-2.1", BASE],
                &["dialect file \"short\" has no verified; it is never taken over"],
            ),
            (
                &[BASE, BASE],
                &["two dialect files have the id \"k8s-1.36-containerd-2.1\"; rename one of them"; 2],
            ),
            (
                &[&file("list", "like: [a, b]")],
                &["dialect file \"list\" is broken: like is not the id of a dialect"],
            ),
            (
                &[&file("typo", "like: k8s-1.36-containerd-2.1\ntexts: {puling: x}"), BASE],
                &["dialect file \"typo\" is broken: unknown variant `puling`"],
            ),
            (&["- 1\n"], &["dialect file \"\" is broken: "]),
        ];
        for (files, expected) in cases {
            let found = errors(files);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        }
    }
}
