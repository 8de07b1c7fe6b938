//! Names of generated objects, as the API would make them from `generateName`.
//!
//! Controllers choose them here and not in the API so that the same seed gives the same names.

use std::cell::RefCell;

use pulldrill_clock::seed;
use rand::RngExt;

/// The letters of a random suffix: no vowels, nothing that looks like something else.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
const LONGEST: usize = 63;

/// A source of names.
pub(crate) struct Names(RefCell<seed::Rng>);

impl Names {
    /// The names of one controller.
    pub(crate) fn new(seed: u64, controller: &str) -> Self {
        Self(RefCell::new(seed::rng(seed, &format!("names/{controller}"))))
    }

    /// `base` and a random suffix.
    pub(crate) fn generate(&self, base: &str) -> String {
        let mut rng = self.0.borrow_mut();
        let suffix = (0..SUFFIX).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
        base.chars().take(LONGEST - SUFFIX).chain(suffix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_enough_and_repeat_with_their_seed() {
        let name = Names::new(1, "x").generate(&"n".repeat(80));
        assert_eq!(name.len(), LONGEST);
        assert_eq!(name, Names::new(1, "x").generate(&"n".repeat(80)));
        let names = Names::new(2, "x");
        let (one, two) = (names.generate("web-"), names.generate("web-"));
        assert_ne!(one, two);
        assert!(one.starts_with("web-") && one[4..].bytes().all(|b| LETTERS.contains(&b)), "{one}");
    }
}
