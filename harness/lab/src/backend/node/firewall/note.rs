//! The id and comment of a rule, as the text that a packet filter keeps beside it.
//!
//! Letters and digits of all languages and some harmless signs stay readable; everything else, quotes and line ends
//! above all, is written as `%` and two hexadecimal digits.

use std::fmt::Write as _;

use pulldrill_cluster::network::EgressRule;

use super::super::NodeError;

/// What the text of a rule of ours begins with.
const MARK: &str = "pulldrill:";

/// What is written beside a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) id: String,
    pub(super) comment: String,
}

/// The text for a rule, if no longer than what fits.
pub(super) fn write(rule: &EgressRule, longest: usize) -> Result<String, NodeError> {
    let text = format!("{MARK}{}:{}", escaped(&rule.id), escaped(&rule.comment));
    if text.len() <= longest {
        return Ok(text);
    }
    Err(NodeError::Invalid(format!(
        "the comment of the rule {:?} is too long by {} bytes for this node's packet filter; shorten it",
        rule.id,
        text.len() - longest
    )))
}

/// What a text says, if it is of ours.
pub(super) fn read(text: &str) -> Option<Note> {
    let (id, comment) = text.strip_prefix(MARK)?.split_once(':')?;
    Some(Note { id: unescaped(id)?, comment: unescaped(comment)? })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() || " .,;()/@+=_-".contains(letter) {
            out.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                let _always_fits = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use pulldrill_cluster::network::Action;

    use super::*;

    fn rule(id: &str, comment: &str) -> EgressRule {
        let destination = "10.0.0.0/8".parse().unwrap();
        EgressRule { id: id.into(), action: Action::Drop, destination, port: None, comment: comment.into() }
    }

    #[test]
    fn whatever_is_written_is_read_again() {
        let texts = ["", "plain words", "a:b:%:%41", "\"'\\$(x)`;\n-j ACCEPT\0", "größer 世界 🚢", " "];
        for text in texts {
            let written = write(&rule(text, text), 1000).unwrap();
            assert!(!written.contains(['"', '\'', '\\', '\n', '$', '`', '\0']), "{written}");
            assert_eq!(read(&written).unwrap(), Note { id: text.into(), comment: text.into() });
        }
    }

    #[test]
    fn texts_of_others_are_not_ours() {
        for text in
            ["", "kubernetes forwarding", "pulldrill:", "pulldrill:a:%", "pulldrill:a:%zz", "pulldrill:a:%FF"]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn too_long_is_said_with_by_how_much() {
        let error = write(&rule("a", &"x".repeat(250)), 255).unwrap_err().to_string();
        assert!(error.contains("too long by 7 bytes"), "{error}");
    }
}
