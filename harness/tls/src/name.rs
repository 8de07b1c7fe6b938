//! Distinguished names as Go's `crypto/x509` has them: what it knows of one is kept, several values of a kind stand
//! together, in an order of its own. So does what the real signers sign.

use yasna::{DERWriter, models::ObjectIdentifier};

/// The kinds that are kept, in the order in which they are written: country, organisation, unit, locality, province,
/// street, postal code; then, with one value each, the common name and the serial number.
const KINDS: [u64; 9] = [6, 10, 11, 7, 8, 9, 17, COMMON_NAME, SERIAL_NUMBER];
const ORGANIZATION: u64 = 10;
const COMMON_NAME: u64 = 3;
const SERIAL_NUMBER: u64 = 5;

/// What all of them begin with.
const ATTRIBUTE: [u64; 3] = [2, 5, 4];

/// A distinguished name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name(Vec<(u64, Vec<String>)>);

impl Name {
    /// A name of attributes: identifier and value.
    pub(crate) fn of(attributes: impl Iterator<Item = (Vec<u64>, String)>) -> Self {
        let mut values: Vec<(u64, Vec<String>)> = KINDS.iter().map(|kind| (*kind, Vec::new())).collect();
        for (identifier, value) in attributes {
            let [prefix @ .., kind] = identifier.as_slice() else { continue };
            if prefix != ATTRIBUTE {
                continue;
            }
            let Some((_, known)) = values.iter_mut().find(|(known, _)| known == kind) else { continue };
            if matches!(*kind, COMMON_NAME | SERIAL_NUMBER) {
                known.clear();
            }
            known.push(value);
        }
        values.retain(|(_, values)| values.iter().any(|value| !value.is_empty()));
        Self(values)
    }

    fn values(&self, kind: u64) -> impl Iterator<Item = &str> {
        let known = self.0.iter().filter(move |(known, _)| *known == kind);
        known.flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    pub(crate) fn common_name(&self) -> &str {
        self.values(COMMON_NAME).next().unwrap_or_default()
    }

    pub(crate) fn organizations(&self) -> impl Iterator<Item = &str> {
        self.values(ORGANIZATION)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn write(&self, writer: DERWriter<'_>) {
        writer.write_sequence(|writer| {
            for (kind, values) in &self.0 {
                writer.next().write_set_of(|writer| {
                    for value in values {
                        writer.next().write_sequence(|writer| {
                            let [first, second, third] = ATTRIBUTE;
                            let identifier = [first, second, third, *kind];
                            writer.next().write_oid(&ObjectIdentifier::from_slice(&identifier));
                            text(writer.next(), value);
                        });
                    }
                });
            }
        });
    }
}

/// Writes a text in the narrower of the two alphabets that has all of its letters.
fn text(writer: DERWriter<'_>, value: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    if value.chars().all(plain) {
        writer.write_printable_string(value);
    } else {
        writer.write_utf8_string(value);
    }
}
