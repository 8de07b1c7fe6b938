//! Writing XML: elements in elements, and text that is nothing but text.

/// What has been written.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element with what `fill` writes.
    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.0.extend(["<", name, ">"]);
        fill(self);
        self.0.extend(["</", name, ">"]);
    }

    /// The same, in a namespace.
    pub(super) fn within_namespace(&mut self, name: &str, namespace: &str, fill: impl FnOnce(&mut Self)) {
        self.0.extend(["<", name, " xmlns=\"", namespace, "\">"]);
        fill(self);
        self.0.extend(["</", name, ">"]);
    }

    /// An element with text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.within(name, |xml| {
            for character in text.chars().filter(|character| !character.is_control()) {
                match character {
                    '&' => xml.0.push_str("&amp;"),
                    '<' => xml.0.push_str("&lt;"),
                    '>' => xml.0.push_str("&gt;"),
                    // Two that are no characters of XML.
                    '\u{fffe}' | '\u{ffff}' => {}
                    other => xml.0.push(other),
                }
            }
        });
    }

    /// An element whose items are one element each.
    pub(super) fn items<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.within(name, |xml| {
            for item in items {
                xml.within("item", |xml| each(xml, item));
            }
        });
    }

    /// What has been written elsewhere.
    pub(super) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// All of it, as a document.
    pub(super) fn document(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.0)
    }
}
