//! What images have in them, read from a table.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;

use super::commands;
use crate::puller::Image;

/// The label by which an image names its set of programs.
pub(crate) const PROGRAMS: &str = "pulldrill.programs";

/// The label by which an image says on which port its program answers HTTP.
pub(crate) const HTTP: &str = "pulldrill.http";

const FILE: &str = include_str!("images.yaml");

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sets: BTreeMap<String, Vec<String>>,
    images: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    set: String,
    /// What it runs when nobody says otherwise.
    #[serde(default)]
    command: Vec<String>,
    /// The programs in it that serve until they are stopped, of which no more is simulated.
    #[serde(default)]
    serves: Vec<String>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_saphyr::from_str(FILE).unwrap_or_else(|error| {
            tracing::error!(%error, "the embedded table of images cannot be read");
            Table::default()
        })
    })
}

/// The last part of an image's repository: `busybox`.
pub(crate) fn short_name(reference: &str) -> &str {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.split([':', '@']).next().unwrap_or(last)
}

/// What a container runs first, when that is a program of ours: what its pod says, or else its image. In an image that
/// serves any other program is a server.
pub(crate) fn main(image: &Image, command: &[String], arguments: &[String]) -> Option<Vec<String>> {
    let (programs, own) = programs(image)?;
    let words = match (command.is_empty(), arguments.is_empty()) {
        (false, _) => [command, arguments].concat(),
        (true, false) => [&image.entrypoint, arguments].concat(),
        (true, true) => own,
    };
    let first = words.first().map_or("", String::as_str);
    let known = programs.iter().any(|program| first.rsplit('/').next() == Some(program));
    (known || servers(image).is_empty()).then_some(words)
}

/// The programs in an image that serve, and those that wrap them.
pub(crate) fn servers(image: &Image) -> &'static [String] {
    table().images.get(short_name(&image.reference)).map(|row| row.serves.as_slice()).unwrap_or_default()
}

/// The programs in an image, and what it runs by itself. `None` when it has nothing but its own program.
pub(crate) fn programs(image: &Image) -> Option<(Vec<String>, Vec<String>)> {
    let row = table().images.get(short_name(&image.reference));
    let set = image.labels.get(PROGRAMS).or(row.map(|row| &row.set))?;
    let programs: Vec<String> = match table().sets.get(set) {
        Some(programs) => programs.clone(),
        None => {
            set.split_whitespace().filter(|name| commands::find(name).is_some()).map(str::to_owned).collect()
        }
    };
    if programs.is_empty() {
        return None;
    }
    let command = match (&image.command, row) {
        (own, Some(row)) if own.is_empty() => row.command.clone(),
        (own, _) => own.clone(),
    };
    Some((programs, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str, label: Option<&str>) -> Image {
        let labels = label.map(|label| (PROGRAMS.to_owned(), label.to_owned()));
        Image { reference: reference.to_owned(), labels: labels.into_iter().collect(), ..Image::default() }
    }

    #[test]
    fn every_program_of_the_table_exists_and_every_image_has_its_set() {
        for (set, programs) in &table().sets {
            let unknown: Vec<_> = programs.iter().filter(|p| commands::find(p).is_none()).collect();
            assert!(unknown.is_empty(), "{set}: {unknown:?}");
        }
        assert!(table().images.len() > 2);
        assert!(table().images.values().all(|row| table().sets.contains_key(&row.set)));
        assert!(table().images.values().all(|row| row.serves.is_empty() != row.command.is_empty()));
        let all: Vec<&str> = commands::names().collect();
        assert!(all.iter().all(|name| table().sets.values().flatten().any(|known| known == name)));
    }

    #[test]
    fn images_are_known_by_label_or_name() {
        let (programs, command) = programs(&image("docker.io/library/busybox:1.36", None)).unwrap();
        assert!(programs.contains(&"sh".to_owned()));
        assert_eq!(command, ["sh"]);
        let (few, _) = super::programs(&image("r.example/tool:1", Some("sh nonsense"))).unwrap();
        assert_eq!(few, ["sh"]);
        assert!(super::programs(&image("r.example/payments-api:1", None)).is_none());
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let nginx = image("docker.io/library/nginx:1.27", None);
        assert_eq!(main(&nginx, &[], &[]), None);
        assert_eq!(main(&nginx, &words(&["nginx", "-g", "daemon off;"]), &[]), None);
        assert_eq!(
            main(&nginx, &words(&["/bin/sh", "-c"]), &words(&["date"])),
            Some(words(&["/bin/sh", "-c", "date"]))
        );
        assert_eq!(main(&image("r.example/busybox", None), &words(&["nope"]), &[]), Some(words(&["nope"])));
    }
}
