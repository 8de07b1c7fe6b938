//! Proof that the comparison can fail, for every recording that it is made with.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::{
    comparison::{
        Normaliser, Recording,
        mutations::{all_mistakes, applied},
    },
    recordings,
};

#[test]
fn a_recording_is_like_itself_and_unlike_every_mutation_of_itself() -> Result<()> {
    let rules = Normaliser::new()?;
    let (mut used, mut of) = (BTreeSet::new(), 0);
    let mut report = Vec::new();
    for (dialect, case, dir) in recordings() {
        let recording = Recording::load(&dir)?;
        let mistakes = all_mistakes(&rules, &dialect, &recording);
        report.extend(mistakes.into_iter().map(|mistake| format!("{dialect}/{case}: {mistake}")));
        let (names, all) = applied(&recording);
        used.extend(names);
        of = all;
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
    assert_eq!(used.len(), of, "mutations that no recording is spoilt by; these are: {used:?}");
    Ok(())
}
