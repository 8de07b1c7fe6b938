//! Proof that the comparison can fail, for every recording that it is made with.

use anyhow::Result;

use crate::{
    comparison::{Normaliser, Recording, mutations::mistakes},
    recordings,
};

#[test]
fn a_recording_is_like_itself_and_unlike_every_mutation_of_itself() -> Result<()> {
    let rules = Normaliser::new()?;
    for (dialect, case, dir) in recordings() {
        let mistakes = mistakes(&rules, &dialect, &Recording::load(&dir)?);
        assert!(mistakes.is_empty(), "{dialect}/{case}:\n{}", mistakes.join("\n"));
    }
    Ok(())
}
