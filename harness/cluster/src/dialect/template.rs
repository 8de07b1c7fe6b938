//! Texts with named places to fill in: `Pulling image "{image}"`.

use serde::Deserialize;

/// A text with places in braces. Braces that enclose no plain word are ordinary characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Template(String);

impl Template {
    /// Fills in the places. A place that nothing is given for stays as it is, so that a mistake shows.
    pub(super) fn render(&self, values: &[(&str, &str)]) -> String {
        let mut out = String::with_capacity(self.0.len() + 64);
        let mut rest = self.0.as_str();
        while let Some((before, name, after)) = next_place(rest) {
            out.push_str(before);
            match values.iter().find(|(n, _)| *n == name) {
                Some((_, value)) => out.push_str(value),
                None => {
                    out.push('{');
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Whether there is no text at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text before the next place, its name, and the text after it.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('{')?;
        let close = open + text[open..].find('}')?;
        let name = &text[open + 1..close];
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Some((&text[..open], name, &text[close + 1..]));
        }
        from = open + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once_and_values_are_not_looked_into() {
        let template = Template("{a}: {b} {} {A} {missing}".into());
        assert_eq!(template.render(&[("a", "{b}"), ("b", "2")]), "{b}: 2 {} {A} {missing}");
        assert_eq!(Template("no places".into()).render(&[]), "no places");
    }
}
