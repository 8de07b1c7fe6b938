//! What a value may be, and reading one from its text. Everything that can be chosen is text at first: on a command
//! line, in a scenario, in JSON.

use serde::Serialize;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A whole number from one to another.
    Number {
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A number from 0 to 1.
    Fraction,
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An IP address.
    Address,
    /// `true` or `false`.
    Flag,
}

/// Something that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// What it is when nothing is said.
    pub default: &'static str,
    /// What it is for.
    pub summary: &'static str,
}

/// A value, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// A number from 0 to 1.
    Fraction(f64),
    /// A text, a word or an address.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
}

impl Shape {
    /// Reads a value.
    ///
    /// # Errors
    /// What it has to be.
    pub fn read(&self, given: &str) -> Result<Value, String> {
        let text = || Value::Text(given.to_owned());
        let read = match self {
            Self::Text => Some(text()),
            Self::Word(words) => words.contains(&given).then(text),
            Self::Address => given.parse::<std::net::IpAddr>().ok().map(|_| text()),
            Self::Flag => given.parse().ok().map(Value::Flag),
            Self::Fraction => {
                given.parse().ok().filter(|part| (0.0..=1.0).contains(part)).map(Value::Fraction)
            }
            Self::Number { from, to } => {
                given.parse().ok().filter(|number| (from..=to).contains(&number)).map(Value::Number)
            }
        };
        read.ok_or_else(|| self.wanted())
    }

    /// What a value has to be, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        match self {
            Self::Number { from, to } => format!("a number from {from} to {to}"),
            Self::Fraction => "a number from 0 to 1".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Address => "an IP address".to_owned(),
            Self::Flag => "true or false".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_it_is_told_what_they_have_to_be() {
        let number = Shape::Number { from: 2, to: 5 };
        assert_eq!(number.read("5"), Ok(Value::Number(5)));
        for wrong in ["1", "6", "-3", "", "x", "99999999999999999999"] {
            assert_eq!(number.read(wrong), Err("a number from 2 to 5".to_owned()), "{wrong:?}");
        }
        assert_eq!(Shape::Fraction.read("0.5"), Ok(Value::Fraction(0.5)));
        assert!(Shape::Fraction.read("NaN").is_err() && Shape::Fraction.read("1.1").is_err());
        assert_eq!(Shape::Flag.read("yes"), Err("true or false".to_owned()));
        assert_eq!(Shape::Word(&["a", "b"]).read("c"), Err("one of a, b".to_owned()));
        assert!(Shape::Address.read("10.0.0.1").is_ok() && Shape::Address.read("10.0.0").is_err());
    }
}
