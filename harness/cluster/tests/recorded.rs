//! What real kubectls sent to a real API server, and what came of it: patches with the object before and after,
//! and protobuf bodies beside the JSON that an older kubectl sends for the same command.
#![allow(clippy::unwrap_used, reason = "what these tests read is part of them")]

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_cluster::{patch, schema::Schema};
use serde_json::{Value, json};

fn rows(data: &str) -> Vec<Value> {
    data.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn patches_do_what_the_real_server_did() {
    let rows = rows(include_str!("data/patches.jsonl"));
    assert!(rows.len() > 15);
    for row in rows {
        let (original, patch, text) = (&row["original"], &row["patch"], |field: &str| {
            row["original"][field].as_str().unwrap().to_owned()
        });
        let schema = Schema::embedded();
        let patched = match row["type"].as_str().unwrap() {
            "strategic-merge-patch" => {
                patch::strategic(schema, &text("apiVersion"), &text("kind"), original, patch)
            }
            "merge-patch" => patch::merge(original, patch),
            "json-patch" => patch::json(original, patch),
            "apply-patch" => patch::apply(schema, original, patch),
            other => panic!("{other} is no patch"),
        };
        let mut patched = patched.unwrap();
        schema.canonicalize(&text("apiVersion"), &text("kind"), &mut patched);
        assert_eq!(patched, row["result"], "{}", row["command"]);
    }
}

#[test]
fn protobuf_bodies_say_what_the_json_ones_say() {
    let rows = rows(include_str!("data/protobuf.jsonl"));
    assert!(rows.len() > 15);
    for row in rows {
        let body = STANDARD.decode(row["protobuf"].as_str().unwrap()).unwrap();
        let decoded = Schema::embedded().decode_protobuf(&body).unwrap();
        let (api_version, kind) =
            (decoded["apiVersion"].as_str().unwrap(), decoded["kind"].as_str().unwrap());
        let unknown = Schema::embedded().canonicalize(api_version, kind, &mut decoded.clone());
        assert!(unknown.is_empty(), "{}: {unknown:?}", row["command"]);
        assert_eq!(Schema::embedded().check_types(api_version, kind, &decoded), Ok(()));
        if row["json"] != json!(null) {
            assert_eq!(decoded, row["json"], "{}", row["command"]);
        }
    }
}
