//! Listing tags.

use serde_json::json;

use crate::{Open, code, on_each_store};

on_each_store!(tags_are_listed_in_order_and_by_pages);

async fn tags_are_listed_in_order_and_by_pages(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    let mut all = vec!["10", "2", "1", "latest", "Beta", "_x", "alpha"];
    for tag in &all {
        open.put("a/b", tag, &image).await;
    }
    all.sort_unstable();
    let list = async |query: &str| open.ask("GET", &format!("/v2/a/b/tags/list{query}")).await;
    let whole = list("").await;
    assert_eq!((whole.status.as_u16(), whole.json()), (200, json!({"name": "a/b", "tags": all})));
    assert_eq!(whole.header("link"), "");
    for n in 1..=all.len() + 1 {
        let (mut seen, mut path) = (Vec::new(), format!("/v2/a/b/tags/list?n={n}"));
        loop {
            let page = open.ask("GET", &path).await;
            let tags: Vec<String> = serde_json::from_value(page.json()["tags"].clone()).unwrap();
            let rest = all.len() - seen.len();
            assert_eq!(tags.len(), n.min(rest), "as many as were asked for, while there are");
            seen.extend(tags);
            let Some(link) = page.header("link").strip_prefix('<') else { break };
            let (next, relation) = link.split_once('>').unwrap();
            assert_eq!(relation, "; rel=\"next\"");
            path = next.to_owned();
        }
        assert_eq!(seen, all, "n={n}");
    }
    let none = list("?n=0").await;
    assert_eq!((none.json()["tags"].clone(), none.header("link")), (json!([]), ""));
    let after = |last: &str| all.iter().filter(|tag| **tag > last).copied().collect::<Vec<_>>();
    for last in ["10", "1a", "", "zzz"] {
        assert_eq!(list(&format!("?last={last}")).await.json()["tags"], json!(after(last)), "{last}");
    }
    assert_eq!(list("?n=2&last=10").await.json()["tags"], json!(after("10")[..2]));
    for n in ["x", "-1", "1.5", "99999999999999999999999"] {
        let refused = list(&format!("?n={n}")).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "PAGINATION_NUMBER_INVALID"));
    }
    let unknown = open.ask("GET", "/v2/no/where/tags/list").await;
    assert_eq!((unknown.status.as_u16(), code(&unknown).as_str()), (404, "NAME_UNKNOWN"));
    open.ask("DELETE", "/v2/a/b/manifests/2").await;
    assert!(!list("").await.text().contains("\"2\""));
}
