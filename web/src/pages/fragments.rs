//! Live parts, remembered for a moment: on a change every open page asks for the same text at once.
//!
//! Only what a trainee sees is ever kept here.

use std::collections::HashMap;

use parking_lot::Mutex;

/// When a text is true: the lab's revision, and the second, for the ages in it.
pub(crate) type Moment = (u64, i64);

/// The texts of one moment, by drill; that of all drills has an empty name.
#[derive(Debug, Default)]
pub(crate) struct Fragments(Mutex<(Moment, HashMap<String, String>)>);

impl Fragments {
    /// The text of a moment; rendered if nobody has asked for it yet. A failure is not remembered.
    pub(crate) fn at<E>(
        &self,
        moment: Moment,
        drill: &str,
        render: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        // Held while rendering, so that the second to ask waits for the first one's text.
        let mut kept = self.0.lock();
        if kept.0 != moment {
            *kept = (moment, HashMap::new());
        }
        if let Some(text) = kept.1.get(drill) {
            return Ok(text.clone());
        }
        let text = render()?;
        kept.1.insert(drill.to_owned(), text.clone());
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_rendered_once_for_its_moment_and_no_longer_kept_after_it() {
        let fragments = Fragments::default();
        let mut rendered = 0;
        let mut ask = |moment, drill: &str| {
            let text = || {
                rendered += 1;
                Ok::<_, ()>(format!("{drill} {rendered}"))
            };
            fragments.at(moment, drill, text).unwrap()
        };
        assert_eq!(ask((1, 10), "a"), "a 1");
        assert_eq!(ask((1, 10), "a"), "a 1");
        assert_eq!(ask((1, 10), "b"), "b 2");
        assert_eq!(ask((2, 10), "a"), "a 3");
        assert_eq!(ask((2, 11), "a"), "a 4");
    }

    #[test]
    fn a_failure_is_asked_again() {
        let fragments = Fragments::default();
        assert!(fragments.at((1, 1), "a", || Err("no")).is_err());
        assert_eq!(fragments.at((1, 1), "a", || Ok::<_, &str>("yes".into())), Ok("yes".into()));
    }
}
