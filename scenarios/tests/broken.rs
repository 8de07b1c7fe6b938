//! Broken scenario folders: each mistake is told with its file, line and what to do, and none makes the loader panic.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{changed, load};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use pulldrill_scenarios::ScenarioError;

const FOLDER: &str = "wrong-tag";

/// What is said of a good scenario in which `from` of a file has been replaced by `to`.
fn broken(file: &str, from: &str, to: &str) -> ScenarioError {
    changed(FOLDER, file, from, to).expect_err("the mistake was not noticed")
}

/// The line of the file that the error points at.
fn line(error: &ScenarioError, file: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(file)).unwrap();
    let message = error.to_string();
    let number: usize = message
        .split(':')
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no line in {message:?}"));
    text.lines().nth(number - 1).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_mistake_is_shown_with_its_place_and_what_to_do() {
    let error = broken("scenario.yaml", "difficulty: easy", "difficulty: breezy");
    let mut report = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(120)
        .render_report(&mut report, &error)
        .unwrap();
    for part in
        ["unknown variant `breezy`", "wrong-tag/scenario.yaml:5:13", "5 │ difficulty: breezy", "help:"]
    {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
}

#[test]
fn mistakes_in_the_document_are_told_apart() {
    // What is replaced, by what, what the message says, and how the line it points at begins.
    let cases = [
        ("id: wrong-tag", "id: other", "the id is \"other\", the folder \"wrong-tag\"", "id:"),
        ("title: The", "titel: The", "unknown field `titel`", "title:"),
        (
            "cause: image-reference/tag-not-pushed",
            "cause: image-reference/nonsense",
            "there is no cause \"image-reference/nonsense\"",
            "cause:",
        ),
        ("family: image-reference", "family: network", "is not of the family \"network\"", "family:"),
        ("accepted: [old, wanted", "accepted: [olden, wanted", "there is no build \"olden\"", "accepted:"),
        ("build: fixed }", "build: mixed }", "there is no build \"mixed\"", "- { tag: \"{{ fixed }}\""),
        ("registries: [main]", "registries: [mane]", "there is no registry \"mane\"", "right-source:"),
        (
            "apply: manifests/base.yaml",
            "apply: manifests/bass.yaml",
            "there is no file \"manifests/bass.yaml\"",
            "do: { apply",
        ),
        ("at: -3h", "at: -3m", "the time line runs backwards", "- at: -4m"),
        ("at: -3h", "at: yesterday", "duration", "- at: -3h"),
        ("do: { apply:", "do: { aply:", "unknown variant `aply`", "do: { apply"),
        ("lasting: digest-pinned", "lasting: digest-pinnd", "unknown variant `digest-pinnd`", "lasting:"),
        ("lasting: digest-pinned", "", "the line \"lasting\" of the score sheet is missing", "named:"),
        ("  named: diagnosed", "  names: diagnosed", "the score sheet has no line \"names\"", "named:"),
        ("name: team,", "name: ns,", "\"ns\" is defined by the fields", "- { name: team"),
        ("name: company,", "name: team,", "\"team\" is there twice", "- { name: company"),
        ("from: 2, to: 5", "from: 6, to: 5", "there is no value to draw for \"major\"", "- { name: major"),
        ("address: \"10.21", "address: \"8.21", "may belong to somebody", "address:"),
        (
            "registry.{{ company }}.example",
            "registry.{{ company }}.com",
            "is a name that somebody may own",
            "host:",
        ),
        ("drill: \"{{ team }}\"", "drill: \"My {{ team }}\"", "can't be the name of a namespace", "drill:"),
        ("personality: distribution", "personality: ecr", "needs `region`", "personality:"),
        (
            "    repositories:",
            "    limits: docker-hub-1999\n    repositories:",
            "there is no profile of limits \"docker-hub-1999\"",
            "repositories:",
        ),
        (
            "    repositories:",
            "    personalTokens: [{ username: x, token: x }]\n    repositories:",
            "a \"distribution\" has no personal access tokens",
            "repositories:",
        ),
        (
            "    repositories:",
            "    faults: [{ fault: gremlins }]\n    repositories:",
            "there is no fault \"gremlins\"; there are refuse",
            "repositories:",
        ),
        (
            "    repositories:",
            "    faults: [{ fault: reset }, { fault: status, with: { status: 42 } }]\n    repositories:",
            "status: status is \"42\"; it has to be a number from 200 to 599",
            "repositories:",
        ),
        (
            "    repositories:",
            "    faults: [{ fault: status, with: { status: \"{{ major }}\" } }]\n    repositories:",
            "it has to be a number from 200 to 599",
            "repositories:",
        ),
        (
            "    repositories:",
            "    faults: [{ fault: reset, on: { tag: x } }]\n    repositories:",
            "its scope can't be narrowed by tag",
            "repositories:",
        ),
        (
            "do: { apply: manifests/base.yaml }",
            "do: { add-fault: { registry: mane, rule: { fault: reset } } }",
            "there is no registry \"mane\"",
            "do: { apply",
        ),
        (
            "do: { apply: manifests/base.yaml }",
            "do: { add-fault: { registry: main, rule: { fault: reset, with: { code: 1 } } } }",
            "reset has no parameter \"code\"; it has none",
            "do: { apply",
        ),
        (
            "do: { apply: manifests/base.yaml }",
            "do: { add-fault: { registry: main, rule: { fault: reset, onn: {} } } }",
            "unknown field `onn`",
            "do: { apply",
        ),
        ("price: 5\n", "price: 95\n", "all hints together cost 120 points", "- price: 5"),
    ];
    for (from, to, message, start) in cases {
        let error = broken("scenario.yaml", from, to);
        assert!(error.to_string().starts_with("wrong-tag/scenario.yaml:"), "{from:?} → {to:?}: {error}");
        assert!(error.to_string().contains(message), "{from:?} → {to:?}: {error}");
        let line = line(&error, "scenario.yaml");
        assert!(line.starts_with(start), "{from:?} → {to:?}: {error}\npoints at {line:?}");
        assert!(error.help().is_some_and(|help| !help.to_string().is_empty()), "{error}");
    }
}

#[test]
fn mistakes_in_other_files_name_the_file() {
    let cases = [
        ("story.md", "{{ app }}", "{{ ap }}", "wrong-tag/story.md", "ap"),
        ("debrief.md", "{{ app }}", "{{ app", "wrong-tag/debrief.md", ""),
        (
            "story.md",
            "Four minutes",
            "It was never pushed. Four minutes",
            "wrong-tag/story.md, with seed 1",
            "\"never pushed\", which gives the cause away",
        ),
        (
            "manifests/base.yaml",
            "name: {{ app }}",
            "name: image-reference",
            "wrong-tag/scenario.yaml, with seed 1",
            "no manifest has the Deployment",
        ),
        (
            "manifests/base.yaml",
            "namespace: {{ ns }}",
            "namespace: kube-system",
            "wrong-tag/manifests/base.yaml",
            "the only one it may touch",
        ),
        ("manifests/base.yaml", "kind: Deployment", "kind: [", "wrong-tag/manifests/base.yaml", ""),
        (
            "remedies/set-image.sh",
            "# title:",
            "# tilte:",
            "wrong-tag/remedies/set-image.sh:1:1",
            "the script has no title",
        ),
    ];
    for (file, from, to, start, message) in cases {
        let error = broken(file, from, to).to_string();
        assert!(error.starts_with(start), "{file}: {error}");
        assert!(error.contains(message), "{file}: {error}");
    }
}

#[test]
fn missing_and_unreadable_things_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("empty").join("story.md"), "x").unwrap();
    assert_eq!(load(folder.path()).unwrap_err().to_string(), "empty/scenario.yaml is missing");
    assert!(load(&folder.path().join("nowhere")).unwrap_err().to_string().contains("nowhere can't be read"));
    fs::write(folder.path().join("empty").join("scenario.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(load(folder.path()).unwrap_err().to_string().contains("scenario.yaml can't be read"));
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    let long = "[".repeat(20_000);
    for garbage in ["", "\0", "---\n---\n", "a: &a [*a]", "{{ x }}", "- 1", "💥: 💥", "\t", &long] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("x")).unwrap();
        fs::write(folder.path().join("x").join("scenario.yaml"), garbage).unwrap();
        let error = load(folder.path()).unwrap_err();
        assert!(error.to_string().starts_with("x/scenario.yaml:"), "{garbage:.20?}: {error}");
        let mut report = String::new();
        GraphicalReportHandler::new().render_report(&mut report, &error).unwrap();
    }
}
