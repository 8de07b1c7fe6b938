//! Indexed Jobs: each pod has a number of its own, and each number has to succeed once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::controllers::{
    json::{items, text},
    meta::{annotate, annotation, label, name},
};

/// Where a pod's number is.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The variable with which containers learn it.
const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Whether a Job's pods have numbers.
pub(super) fn is_indexed(job: &Value) -> bool {
    job["spec"]["completionMode"] == "Indexed"
}

/// The number of a pod.
pub(super) fn index_of(pod: &Value) -> Option<i64> {
    annotation(pod, INDEX).parse().ok()
}

/// Gives a new pod its number.
pub(super) fn number(pod: &mut Value, job: &Value, index: i64, labelled: bool) {
    let text_of = index.to_string();
    annotate(pod, INDEX, &text_of);
    if labelled {
        label(pod, INDEX, &text_of);
    }
    pod["metadata"]["generateName"] = format!("{}-{index}-", name(job)).into();
    if text(&pod["spec"]["hostname"]).is_empty() {
        pod["spec"]["hostname"] = format!("{}-{index}", name(job)).into();
    }
    let place = if labelled { "labels" } else { "annotations" };
    let field = format!("metadata.{place}['{INDEX}']");
    let variable = json!({"name": VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": field}}});
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            let mut variables = items(&container["env"]).to_vec();
            if variables.iter().all(|v| v["name"] != VARIABLE) {
                variables.push(variable.clone());
                container["env"] = variables.into();
            }
        }
    }
}

/// The lowest numbers that have neither succeeded nor a pod, at most so many.
pub(super) fn missing(
    completions: i64,
    done: &BTreeSet<i64>,
    active: &BTreeSet<i64>,
    count: usize,
) -> Vec<i64> {
    (0..completions).filter(|n| !done.contains(n) && !active.contains(n)).take(count).collect()
}

/// No more numbers than a Job with numbers may have are read.
const MOST: usize = 100_000;

/// The numbers below `completions` that a status tells; what can't be read tells nothing.
pub(super) fn numbers(text: &str, completions: i64) -> BTreeSet<i64> {
    let read = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse::<i64>().ok()?.max(0), last.parse::<i64>().ok()?.min(completions - 1)))
    };
    text.split(',').filter_map(read).flat_map(|(first, last)| first..=last).take(MOST).collect()
}

/// Numbers as a status tells them: `0,2-4`.
pub(super) fn ranges(numbers: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => runs.push((*n, *n)),
        }
    }
    // Two that follow one another are no range yet.
    let shown = runs.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_ranges() {
        let cases: [(&[i64], &str); 5] = [
            (&[], ""),
            (&[3], "3"),
            (&[0, 1], "0,1"),
            (&[0, 2, 3, 4, 7, 8], "0,2-4,7,8"),
            (&[0, 1, 2], "0-2"),
        ];
        for (numbers, text) in cases {
            let set: BTreeSet<i64> = numbers.iter().copied().collect();
            assert_eq!(ranges(&set), text);
            assert_eq!(super::numbers(text, 9), set);
        }
        assert_eq!(numbers("x,-4,1-,7-2,2-9223372036854775807", 4), BTreeSet::from([2, 3]));
        let (done, active) = (BTreeSet::from([0, 2]), BTreeSet::from([1]));
        assert_eq!(missing(6, &done, &active, 2), [3, 4]);
        assert_eq!(missing(3, &done, &active, 2), Vec::<i64>::new());
    }
}
