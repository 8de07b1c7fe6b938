//! `record`: writes what was seen of a drill to a folder, for people and for comparisons.
//!
//! - [`files`]: what is in the folder. What the lab has seen comes from the lab; what kubectl prints comes from
//!   the user's own kubectl.

mod files;

use std::{fs, io, path::Path};

use pulldrill_lab::view::RecordingView;

use super::{
    Ground,
    kubectl::{self, Kubectl},
};
use crate::{
    args::Record,
    client::segment,
    exit::{Exit, Failure, Outcome},
    output::{Tone, paint},
};

/// Kinds that are described where there are any, after the pods; each under a heading.
const DESCRIBED: [(&str, &str); 4] = [
    ("Deployment", "deployments"),
    ("ReplicaSet", "replicasets"),
    ("StatefulSet", "statefulsets"),
    ("DaemonSet", "daemonsets"),
];

pub(super) async fn record(ground: &Ground<'_>, wanted: &Record) -> Outcome {
    let Some(folder) = ground.common.output.as_deref() else {
        return Err(Failure::usage("record needs -o DIR, the folder to write"));
    };
    let kubectl = match (&wanted.kubectl, kubectl::find(wanted.kubectl.as_deref())) {
        (Some(_), Err(failure)) => return Err(failure),
        (None, Err(_)) => None,
        (_, Ok(program)) => Some(Kubectl {
            program,
            kubeconfig: ground.folder.path().join("kubeconfig"),
            cache: ground.folder.path().join("cache"),
        }),
    };
    let path = format!("drills/{}/recording", segment(&wanted.drill));
    let recording: RecordingView = ground.lab()?.get(&path).await?;
    make_empty(folder)?;
    let mut files = files::of(&recording)?;
    match kubectl {
        Some(kubectl) => files.extend(printed(&kubectl, &recording).await?),
        None => ground.out.remark(&paint(
            Tone::Wait,
            "no kubectl on the PATH: without describe.txt and pods.txt; give one with --kubectl",
        )),
    }
    for (name, text) in &files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
    }
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    ground.out.line(&format!(
        "{}: {} changes of drill {} ({})",
        folder.display(),
        recording.changes.len(),
        recording.drill,
        names.join(", ")
    ));
    Ok(Exit::Yes)
}

/// What kubectl says of the drill at this moment.
async fn printed(kubectl: &Kubectl, recording: &RecordingView) -> Result<files::Files, Failure> {
    let namespace = recording.namespace.as_str();
    let mut describe = kubectl.ask(&["describe", "pods", "-n", namespace]).await?;
    for (kind, plural) in DESCRIBED {
        if recording.changes.iter().any(|change| change.kind == kind) {
            let text = kubectl.ask(&["describe", plural, "-n", namespace]).await?;
            describe.push_str(&format!("\n=== {plural} ===\n{text}"));
        }
    }
    let pods = kubectl.ask(&["get", "pods", "-o", "wide", "-n", namespace]).await?;
    Ok(vec![("describe.txt", describe), ("pods.txt", pods)])
}

/// Makes the folder, unless there is something in it.
fn make_empty(folder: &Path) -> Result<(), Failure> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::usage(format!("{} is not empty; nothing was written", folder.display()))
            .help("a recording is written to a folder of its own: name another one with -o")),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(Failure::usage(format!("{} is not a folder", folder.display())))
        }
        Err(_) => fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error)),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::infrastructure(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let temporary = tempfile::tempdir().unwrap();
        let new = temporary.path().join("deep/new");
        make_empty(&new).unwrap();
        make_empty(&new).unwrap();
        fs::write(new.join("notes.txt"), "mine").unwrap();
        assert_eq!(make_empty(&new).unwrap_err().exit, Exit::Usage);
        assert_eq!(make_empty(&new.join("notes.txt")).unwrap_err().exit, Exit::Usage);
        assert_eq!(fs::read_to_string(new.join("notes.txt")).unwrap(), "mine");
    }
}
