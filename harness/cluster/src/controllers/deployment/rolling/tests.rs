//! The arithmetic of rolling updates: stuck ones, and both promises for any numbers.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "literals read better without borrowing")]
fn limits(replicas: i64, surge: Value, unavailable: Value) -> Limits {
    Limits::of(&json!({"spec": {"replicas": replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}))
}

#[test]
fn percentages_round_away_from_harm() {
    let default = |n| {
        let l = limits(n, json!("25%"), json!("25%"));
        (l.surge, l.unavailable)
    };
    assert_eq!([default(1), default(3), default(4), default(10)], [(1, 0), (1, 0), (1, 1), (3, 2)]);
    assert_eq!(limits(5, json!(0), json!("10%")).unavailable, 1);
    assert_eq!(limits(2, json!("100%"), json!(7)), Limits { replicas: 2, surge: 2, unavailable: 2 });
}

/// Plays a rollout in which pods of the new template never become available.
fn stuck(replicas: i64) -> (i64, i64) {
    let limits = limits(replicas, json!("25%"), json!("25%"));
    let (mut old, mut new) = (replicas, 0);
    for _ in 0..100 {
        new = limits.grow(new, old + new);
        let size = Size { desired: old, available: old };
        if let Some(cuts) = limits.shrink(Size { desired: new, available: 0 }, &[size]) {
            old -= cuts[0];
        }
    }
    (old, new)
}

#[test]
fn an_unpullable_image_stops_where_it_does_on_real_clusters() {
    assert_eq!([stuck(1), stuck(2), stuck(3), stuck(4)], [(1, 1), (2, 1), (3, 1), (3, 2)]);
    assert_eq!(stuck(10), (8, 5));
}

proptest! {
    /// Any order of pods becoming available and of steps keeps both promises, and when all pods work the
    /// rollout ends.
    #[test]
    fn promises_hold_at_every_step(
        replicas in 0_i64..30, surge in 0_i64..8, unavailable in 0_i64..8, percent: bool,
        ready in proptest::collection::vec(any::<u8>(), 0..60), old_sets in 1_usize..4, broken in 0_i64..4,
    ) {
        let as_value = |n: i64| if percent { json!(format!("{}%", n * 10)) } else { json!(n) };
        let limits = limits(replicas, as_value(surge), as_value(unavailable));
        let mut new = Size::default();
        let mut old = vec![Size::default(); old_sets];
        old[0] = Size { desired: replicas, available: replicas };
        let ceiling = limits.replicas + limits.surge;
        // A ReplicaSet of an earlier, broken attempt takes up the room that surge leaves.
        if old_sets > 1 {
            old[1].desired = broken.min(limits.surge);
        }
        let step = |new: &mut Size, old: &mut Vec<Size>| {
            let total = new.desired + old.iter().map(|s| s.desired).sum::<i64>();
            let grown = limits.grow(new.desired, total);
            prop_assert!(grown >= new.desired && grown <= limits.replicas.max(new.desired));
            if grown != new.desired {
                new.desired = grown;
            } else if let Some(cuts) = limits.shrink(*new, old) {
                for (size, cut) in old.iter_mut().zip(&cuts) {
                    prop_assert!(*cut >= 0 && *cut <= size.desired);
                    size.desired -= cut;
                    // Pods that are not available die first.
                    size.available = size.available.min(size.desired);
                }
            }
            let total = new.desired + old.iter().map(|s| s.desired).sum::<i64>();
            let available = new.available + old.iter().map(|s| s.available).sum::<i64>();
            prop_assert!(total <= ceiling, "{total} pods, at most {ceiling} allowed");
            prop_assert!(available >= limits.least_available(), "{available} available of {limits:?}");
            Ok(())
        };
        for choice in ready {
            new.available = (new.available + i64::from(choice % 3)).min(new.desired);
            step(&mut new, &mut old)?;
        }
        for _ in 0..200 {
            new.available = new.desired;
            step(&mut new, &mut old)?;
        }
        prop_assert_eq!(new, Size { desired: replicas, available: replicas });
        prop_assert_eq!(old.iter().map(|s| s.desired).sum::<i64>(), 0);
    }
}
