//! The page of faults says what the table says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Write, path::Path};

use pulldrill_registry::{FaultKind, Shape, Stage};

/// What is said of each stage.
const STAGES: [(Stage, &str); 6] = [
    (Stage::Port, "The port itself. Nothing can be said of whom: everybody finds it closed."),
    (Stage::Connection, "A connection, before anything is read. Only clients and nodes can be told apart."),
    (Stage::Handshake, "The TLS handshake. Only clients and nodes can be told apart."),
    (Stage::Request, "How a request is judged, and how soon it is answered."),
    (Stage::Refusal, "In place of the answer. The first rule that strikes is the one."),
    (Stage::Answer, "The answer on its way: every rule that strikes, one after the other."),
];

const HEAD: &str = "# Faults of registries

Ways in which a registry host misbehaves on purpose. A rule names one, what it does (`with`), whom it strikes (`on`) and
when (`when`); a host has a list of them:

```json
[{\"fault\": \"status\", \"with\": {\"status\": \"503\"},
  \"on\": {\"part\": \"manifest\", \"repository\": \"team/app\", \"node\": \"worker-1\"},
  \"when\": {\"after\": 2, \"times\": 5, \"seconds\": 600, \"probability\": 0.5}}]
```

- `on` (everything that is said has to hold): `part` (`base`, `token`, `manifest`, `blob`, which is `config` or `layer`,
  `upload`, `list`, `api`), `repository`, `tag`, `digest`, `client` (an address), `node`, `userAgent` (how it begins), `method`.
- `when`: `after` so many requests in its scope went through; so many `times`; for so many `seconds` of the lab's clock; with a
  `probability`, drawn from the seed.

Answers that are spoilt are spoilt for ranges as well, so that going on where it ended doesn't help; `rescue` changes that.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (stage, about) in STAGES {
        let title = serde_json::to_value(stage).unwrap();
        write!(
            page,
            "\n## {}\n\n{about}\n\n| fault | what clients meet | `with` |\n| --- | --- | --- |\n",
            title.as_str().unwrap()
        )
        .unwrap();
        for kind in FaultKind::all().iter().filter(|kind| kind.stage == stage) {
            let with = kind.parameters.iter().map(|parameter| {
                let shape = match parameter.shape {
                    Shape::Number { to, .. } if to > u64::from(u32::MAX) => "a number".to_owned(),
                    Shape::Number { from, to } => format!("{from}–{to}"),
                    Shape::Text => "text".to_owned(),
                    Shape::Flag => "true or false".to_owned(),
                };
                let default = Some(parameter.default).filter(|default| !default.is_empty());
                let default = default.map_or_else(String::new, |default| format!(", else {default}"));
                format!("`{}`: {} ({shape}{default})", parameter.name, parameter.summary)
            });
            let with = with.collect::<Vec<_>>().join("; ");
            writeln!(page, "| `{}` | {} | {with} |", kind.name, kind.summary).unwrap();
        }
    }
    page
}

#[test]
fn the_page_of_faults_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page(), "run UPDATE_DOCS=1 cargo test -p pulldrill-registry --test documentation");
}
