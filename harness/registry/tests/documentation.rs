//! The page of faults says what the table says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Write, path::Path};

use pulldrill_faults::{
    FaultKind, Parameter, Shape, Stage, schema,
    scope::{SCHEDULE, SCOPE, field},
};

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
[{\"fault\": \"status\", \"with\": {\"status\": 503},
  \"on\": {\"part\": \"manifest\", \"repository\": \"team/app\", \"node\": \"worker-1\"},
  \"when\": {\"after\": 2, \"times\": 5, \"seconds\": 600, \"probability\": 0.5}}]
```

What is left out of `with` is as the tables below say; what is left out of `on` and `when` limits nothing. `docs/faults.schema.json`
says the same to programs.

- **On the command line**: `pulldrill registry fault add status --status 503 --repository team/app --after 2 [--host HOST]`, for a lab
  as for `registry serve`; `fault list` shows the faults with their numbers and how often each has struck; `fault clear NUMBER` and
  `fault clear --all` end them. `fault add --help` lists all of this.
- **From afar**: `GET`, `POST` and `PUT /admin/v1/hosts/HOST/faults`, `DELETE …/faults/NUMBER`; `GET /admin/v1/faults` is the table, and
  `GET /admin/v1/faults/schema` the schema.
- **In a scenario**: `faults`, a list of rules, in an entry of `registries`, for what is wrong from the beginning; or a step of the
  history, for what goes wrong later:

  ```yaml
  registries:
    - handle: main
      # …
      faults:
        - { fault: latency, with: { milliseconds: 300 } }
  history:
    - at: -10m
      do: { add-fault: { registry: main, rule: { fault: html, on: { tag: \"{{ tag }}\" } } } }
    - at: -5m
      do: { clear-faults: { registry: main } }
  ```

  Texts may be templates. A rule that makes no sense is refused when the scenario is loaded.

Answers that are spoilt are spoilt for ranges as well, so that going on where it ended doesn't help; `rescue` changes that.
";

fn shape(parameter: &Parameter) -> String {
    match parameter.shape {
        Shape::Number { to, .. } if to > u64::from(u32::MAX) => "a number".to_owned(),
        Shape::Number { from, to } => format!("{from}–{to}"),
        other => other.wanted(),
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, table) in [("Whom it strikes: `on`", SCOPE), ("When it strikes: `when`", SCHEDULE)] {
        write!(page, "\n## {title}\n\n| | what is said | |\n| --- | --- | --- |\n").unwrap();
        for one in table {
            writeln!(page, "| `{}` | {} | {} |", field(one.name), one.summary, shape(one)).unwrap();
        }
    }
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
                let default = Some(parameter.default).filter(|default| !default.is_empty());
                let default = default.map_or_else(String::new, |default| format!(", else {default}"));
                format!(
                    "`{}`: {} ({shape}{default})",
                    parameter.name,
                    parameter.summary,
                    shape = shape(parameter)
                )
            });
            let with = with.collect::<Vec<_>>().join("; ");
            writeln!(page, "| `{}` | {} | {with} |", kind.name, kind.summary).unwrap();
        }
    }
    page
}

#[test]
fn the_pages_of_faults_are_those_of_the_tables() {
    let schema = serde_json::to_string_pretty(&schema::rules()).unwrap() + "\n";
    for (name, made) in [("faults.md", page()), ("faults.schema.json", schema)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == made,
            "docs/{name}: run UPDATE_DOCS=1 cargo test -p pulldrill-registry --test documentation"
        );
    }
}
