//! Reading JSON as Go does, as far as clients can see it: its words for text that is none (`scanner.go` of
//! `encoding/json`), and which fields are there twice (`sigs.k8s.io/json`). Values are made by serde: see [`decode`].

mod decode;

use std::{borrow::Cow, collections::BTreeSet};

pub(crate) use decode::{Decoded, decode};

/// What Go says about text that ends too early.
const ENDED: &str = "unexpected end of JSON input";

/// How deep Go goes.
const DEEPEST: usize = 10_000;

/// What is wrong with a text that should be JSON; `None` when Go would find nothing.
pub(crate) fn syntax_error(text: &[u8]) -> Option<String> {
    Scanner::new(text).document().err()
}

/// Why text is no JSON, in the words of Go, or of who has read it where Go would read it.
pub(crate) fn error(text: &[u8], error: &serde_json::Error) -> String {
    syntax_error(text).unwrap_or_else(|| error.to_string())
}

/// The paths of fields that are there more than once, each once, in the order of the text; such as
/// `spec.containers[0].name`. Text that is no JSON has those up to there.
pub(crate) fn duplicates(text: &[u8]) -> Vec<String> {
    let mut scanner = Scanner::new(text);
    // What was found is what there is to know.
    let _ = scanner.document();
    scanner.duplicates
}

/// What the scanner is in.
enum Within<'a> {
    Object { seen: BTreeSet<Cow<'a, str>>, field: Cow<'a, str> },
    Array { index: usize },
}

/// What may come next.
enum Next {
    Value,
    /// A value, or the end of the array.
    FirstElement,
    Key,
    /// A key, or the end of the object.
    FirstKey,
    /// Whatever may follow a value.
    After,
}

/// What a key says, given with its quotes; mostly just what stands there.
fn name(token: &[u8]) -> Cow<'_, str> {
    let inner = &token[1..token.len() - 1];
    match std::str::from_utf8(inner) {
        Ok(plain) if !plain.contains('\\') => plain.into(),
        _ => serde_json::from_slice(token).map_or_else(|_| String::from_utf8_lossy(inner), Cow::Owned),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    stack: Vec<Within<'a>>,
    duplicates: Vec<String>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, stack: Vec::new(), duplicates: Vec::new() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or(ENDED)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte that is no blank.
    fn next(&mut self) -> Result<u8, String> {
        loop {
            match self.take()? {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                byte => return Ok(byte),
            }
        }
    }

    fn document(&mut self) -> Result<(), String> {
        let mut next = Next::Value;
        loop {
            next = match next {
                Next::Value | Next::FirstElement => {
                    let first = matches!(next, Next::FirstElement);
                    match self.next()? {
                        b']' if first => self.leave(),
                        byte => self.value(byte)?,
                    }
                }
                Next::Key | Next::FirstKey => {
                    let first = matches!(next, Next::FirstKey);
                    match self.next()? {
                        b'}' if first => self.leave(),
                        b'"' => self.key()?,
                        byte => return Err(unexpected(byte, "looking for beginning of object key string")),
                    }
                }
                Next::After => match self.after()? {
                    Some(next) => next,
                    None => return Ok(()),
                },
            };
        }
    }

    fn leave(&mut self) -> Next {
        self.stack.pop();
        Next::After
    }

    fn enter(&mut self, within: Within<'a>, next: Next) -> Result<Next, String> {
        if self.stack.len() >= DEEPEST {
            return Err("exceeded max depth".into());
        }
        self.stack.push(within);
        Ok(next)
    }

    fn value(&mut self, first: u8) -> Result<Next, String> {
        match first {
            b'{' => {
                let within = Within::Object { seen: BTreeSet::new(), field: Cow::default() };
                return self.enter(within, Next::FirstKey);
            }
            b'[' => return self.enter(Within::Array { index: 0 }, Next::FirstElement),
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number(first)?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            other => return Err(unexpected(other, "looking for beginning of value")),
        }
        Ok(Next::After)
    }

    fn after(&mut self) -> Result<Option<Next>, String> {
        if self.stack.is_empty() {
            return match self.next() {
                Ok(byte) => Err(unexpected(byte, "after top-level value")),
                Err(_) => Ok(None),
            };
        }
        let byte = self.next()?;
        Ok(Some(match (self.stack.last_mut(), byte) {
            (Some(Within::Object { .. }), b',') => Next::Key,
            (Some(Within::Object { .. }), b'}') | (Some(Within::Array { .. }), b']') => self.leave(),
            (Some(Within::Array { index }), b',') => {
                *index += 1;
                Next::Value
            }
            (Some(Within::Array { .. }), byte) => return Err(unexpected(byte, "after array element")),
            (_, byte) => return Err(unexpected(byte, "after object key:value pair")),
        }))
    }

    fn key(&mut self) -> Result<Next, String> {
        let start = self.at - 1;
        self.string()?;
        let name = name(&self.text[start..self.at]);
        let mut twice = false;
        if let Some(Within::Object { seen, field }) = self.stack.last_mut() {
            twice = !seen.insert(name.clone());
            *field = name;
        }
        if twice {
            let path = self.path();
            if !self.duplicates.contains(&path) {
                self.duplicates.push(path);
            }
        }
        match self.next()? {
            b':' => Ok(Next::Value),
            other => Err(unexpected(other, "after object key")),
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for within in &self.stack {
            match within {
                Within::Object { field, .. } if path.is_empty() => path += field,
                Within::Object { field, .. } => path += &format!(".{field}"),
                Within::Array { index } => path += &format!("[{index}]"),
            }
        }
        path
    }

    /// What comes after the first quotation mark.
    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.take()? {
                b'"' => return Ok(()),
                b'\\' => match self.take()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let digit = self.take()?;
                            if !digit.is_ascii_hexdigit() {
                                return Err(unexpected(digit, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    other => return Err(unexpected(other, "in string escape code")),
                },
                control @ ..0x20 => return Err(unexpected(control, "in string literal")),
                _ => {}
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let leading = if first == b'-' { self.digit("in numeric literal")? } else { first };
        if leading != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.digits();
        }
        Ok(())
    }

    fn digit(&mut self, place: &str) -> Result<u8, String> {
        match self.take()? {
            digit @ b'0'..=b'9' => Ok(digit),
            other => Err(unexpected(other, place)),
        }
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// What comes after the first letter.
    fn literal(&mut self, literal: &str) -> Result<(), String> {
        for expected in literal.chars().skip(1) {
            let found = self.take()?;
            if char::from(found) != expected {
                return Err(unexpected(found, &format!("in literal {literal} (expecting '{expected}')")));
            }
        }
        Ok(())
    }
}

fn unexpected(byte: u8, place: &str) -> String {
    format!("invalid character {} {place}", quoted(byte))
}

/// How Go quotes a byte, which it takes for a character.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".into(),
        b'\\' => "'\\\\'".into(),
        7 => "'\\a'".into(),
        8 => "'\\b'".into(),
        9 => "'\\t'".into(),
        10 => "'\\n'".into(),
        11 => "'\\v'".into(),
        12 => "'\\f'".into(),
        13 => "'\\r'".into(),
        ..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        other => format!("'{}'", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_told_in_gos_words() {
        let long = "[".repeat(DEEPEST + 1);
        for (text, told) in [
            ("", ENDED),
            ("  ", ENDED),
            ("{", ENDED),
            ("{\"a\"", ENDED),
            ("[1,", ENDED),
            ("\"x", ENDED),
            ("tru", ENDED),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("'", "invalid character '\\'' looking for beginning of value"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{]", "invalid character ']' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair"),
            ("[01]", "invalid character '1' after array element"),
            ("{}}", "invalid character '}' after top-level value"),
            ("{} \u{0}", "invalid character '\\x00' after top-level value"),
            ("\"a\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("not json", "invalid character 'o' in literal null (expecting 'u')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1e+x", "invalid character 'x' in exponent of numeric literal"),
            (&long, "exceeded max depth"),
        ] {
            assert_eq!(syntax_error(text.as_bytes()).as_deref(), Some(told), "{text}");
        }
        for good in ["{}", " [ ] ", "-0.5e10", "{\"a\":[{\"b\":null},true,false,\"\\ud800\"]}\n", "1e400"] {
            assert_eq!(syntax_error(good.as_bytes()), None, "{good}");
        }
    }

    #[test]
    fn fields_that_are_there_twice_are_named_once() {
        let text = r#"{"metadata": {"name": "a", "n\u0061me": "b", "name": "c"}, "kind": "Pod",
            "spec": {"containers": [{"name": "c"}, {"image": "x", "image": "y"}]}, "kind": "Pod"}"#;
        assert_eq!(duplicates(text.as_bytes()), ["metadata.name", "spec.containers[1].image", "kind"]);
        assert_eq!(duplicates(br#"{"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 2}]}"#), [""; 0]);
        assert_eq!(duplicates(br#"{"a":1,"a":"#), ["a"]);
    }

    #[test]
    fn a_key_is_what_it_says_however_it_is_written() {
        let twice = br#"{"a":1,"\u0061":2,"s":[{"b\"c":0,"b\u0022c":1,"b":2}]}"#;
        assert_eq!(duplicates(twice), ["a", "s[0].b\"c"]);
        assert_eq!(duplicates(b"{\"\":1,\"\xff\":2,\"\":3,\"\xff\":4"), ["", "\u{fffd}"]);
        assert!(duplicates(br#"{"a":{"b":1},"b":{"a":1}}"#).is_empty());
    }
}
