//! The body of a list: the stored bytes of its objects, put together piece by piece while it is sent. However long a list
//! is, no more than a piece of it is there twice.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use serde_json::{Value, json};

use super::{Reply, reply};
use crate::store::Stored;

/// How many bytes a piece has, or the object with which it goes beyond that.
const PIECE: usize = 128 * 1024;

const END: &[u8] = b"]}\n";

/// Writes a list in the order of fields that real servers have.
pub(super) fn write(kind: &str, api_version: &str, meta: &Value, objects: Vec<Arc<Stored>>) -> Reply {
    let head = format!(
        "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{meta},\"items\":[",
        json!(kind),
        json!(api_version)
    );
    // A brace before each object, a comma between two.
    let items: usize = objects.iter().map(|object| object.item().len() + 2).sum();
    let length = head.len() + items - usize::from(items > 0) + END.len();
    reply::sized(
        "application/json",
        length,
        stream::unfold(Pieces { head: Some(head), objects, next: 0 }, Pieces::next),
    )
}

struct Pieces {
    head: Option<String>,
    objects: Vec<Arc<Stored>>,
    next: usize,
}

impl Pieces {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.next > self.objects.len() {
            return None;
        }
        let mut piece =
            BytesMut::with_capacity(if self.objects.len() > 10 { PIECE + PIECE / 4 } else { 4096 });
        if let Some(head) = self.head.take() {
            piece.put_slice(head.as_bytes());
        }
        while piece.len() < PIECE {
            let Some(object) = self.objects.get(self.next) else { break };
            if self.next > 0 {
                piece.put_u8(b',');
            }
            piece.put_u8(b'{');
            piece.put_slice(&object.item());
            self.next += 1;
        }
        if self.next == self.objects.len() {
            piece.put_slice(END);
            self.next += 1;
        }
        Some((piece.freeze(), self))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn objects(count: usize, size: usize) -> Vec<Arc<Stored>> {
        let object = |n: usize| {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n.to_string()},
                "data": {"x": "y".repeat(size)}});
            Arc::new(Stored::unstored(value))
        };
        (0..count).map(object).collect()
    }

    #[test]
    fn a_list_costs_no_memory_but_the_piece_that_is_being_sent() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let objects = objects(10_000, 1000);
        let size: usize = objects.iter().map(|object| object.bytes().len()).sum();
        let used = allocation_counter::measure(|| {
            runtime.block_on(async {
                let mut body = write("ConfigMapList", "v1", &json!({}), objects).into_body();
                while let Some(piece) = body.frame().await {
                    piece.unwrap();
                }
            });
        });
        let pieces = u64::try_from(size / PIECE + 1).unwrap();
        assert!(used.count_total <= 3 * pieces + 30, "{used:?} for {pieces} pieces");
        assert!(used.bytes_max <= 3 * PIECE as u64, "{used:?}");
    }

    #[tokio::test]
    async fn a_list_of_any_length_is_whole_and_as_long_as_it_says() {
        for (count, size) in [(0, 1), (1, 1), (2, 10), (300, 2000), (3, PIECE), (1000, 127)] {
            let meta = json!({"resourceVersion": "7"});
            let reply = write("ConfigMapList", "v1", &meta, objects(count, size));
            let length = reply.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap();
            let body = reply.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len(), length, "{count} objects of {size}");
            let list: Value = serde_json::from_slice(&body).unwrap();
            let names: Vec<usize> = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| {
                    assert!(item.get("kind").is_none() && item.get("apiVersion").is_none());
                    item["metadata"]["name"].as_str().unwrap().parse().unwrap()
                })
                .collect();
            assert_eq!(names, (0..count).collect::<Vec<_>>());
            assert_eq!((&list["kind"], &list["metadata"]), (&json!("ConfigMapList"), &meta));
        }
    }
}
