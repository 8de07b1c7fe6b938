//! Which dialects the embedded cluster speaks, for those who offer a choice of them.

use pulldrill_cluster::dialect::Dialect;

/// A dialect to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectChoice {
    /// Its name.
    pub id: &'static str,
    /// What people call it.
    pub title: String,
    /// Whether recordings prove it.
    pub verified: bool,
}

/// All of them, the default first.
#[must_use]
pub fn dialects() -> Vec<DialectChoice> {
    let choice = |id| {
        let dialect = Dialect::named(id)?;
        Some(DialectChoice { id, title: dialect.title.clone(), verified: dialect.verified })
    };
    Dialect::names().into_iter().filter_map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabOptions;

    #[test]
    fn the_default_comes_first_and_is_proven() {
        let all = dialects();
        assert_eq!((all[0].id, all[0].verified), (LabOptions::default().dialect.as_str(), true));
        assert!(all.iter().any(|dialect| !dialect.verified));
    }
}
