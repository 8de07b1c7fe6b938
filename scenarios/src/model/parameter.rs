//! What a seed decides: parameters and how their values are drawn.

use serde::{Deserialize, Serialize};

/// One parameter of a scenario; its value is what `{{ name }}` becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// The name used in templates.
    pub name: String,
    /// How its value comes about.
    pub value: Generator,
}

/// How a parameter's value is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Generator {
    /// One of these.
    Choice(Vec<String>),
    /// A whole number, both ends included; a number in templates, so `{{ n + 1 }}` works.
    Integer {
        /// The smallest.
        from: i64,
        /// The greatest.
        to: i64,
    },
    /// This many decimal digits, the first not zero (an account number).
    Digits(u8),
    /// This many lower-case hexadecimal digits (a commit).
    Hex(u8),
    /// This many letters and digits that are easy to tell apart (a password).
    Letters(u8),
    /// A text over the parameters before it.
    Template(String),
}
