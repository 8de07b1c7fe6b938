//! The language of label selectors in queries: its words, its grammar, and what it says to those who get it wrong.
//!
//! The words are those of `k8s.io/apimachinery/pkg/labels` since 1.22.

use super::{Requirement, Test};
use crate::api::{invalid::Errors, names};

/// What can stand between a key and what it is compared with, in the order of the complaint.
const OPERATORS: &str = "=, !=, ==, in, notin, >, <";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    End,
    Comma,
    Open,
    Close,
    Not,
    Equal,
    NotEqual,
    Above,
    Below,
    In,
    NotIn,
    Name,
}

/// The signs; longer ones before those that they begin with.
const SIGNS: [(&str, Word); 9] = [
    ("!=", Word::NotEqual),
    ("==", Word::Equal),
    ("=", Word::Equal),
    ("!", Word::Not),
    ("(", Word::Open),
    (")", Word::Close),
    (",", Word::Comma),
    (">", Word::Above),
    ("<", Word::Below),
];

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Requirements as a query lists them.
///
/// # Errors
/// What the server says about it.
pub(super) fn parse(query: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { words: words(query), at: 0 };
    let mut requirements = Vec::new();
    match parser.next_as_value() {
        (Word::Name | Word::Not, _) => {}
        (Word::End, _) => return Ok(requirements),
        (_, found) => return Err(format!("found '{found}', expected: !, identifier, or 'end of string'")),
    }
    loop {
        requirements.push(parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
        match parser.take() {
            (Word::End, _) => return Ok(requirements),
            (Word::Comma, _) => {}
            (_, found) => return Err(format!("found '{found}', expected: ',' or 'end of string'")),
        }
        let (next, found) = parser.next_as_value();
        if !matches!(next, Word::Name | Word::Not) {
            return Err(format!("found '{found}', expected: identifier after ','"));
        }
    }
}

fn words(query: &str) -> Vec<(Word, &str)> {
    let mut words = Vec::new();
    let mut rest = query.trim_start_matches(BLANKS);
    while !rest.is_empty() {
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let (word, length) = match sign {
            Some((sign, word)) => (*word, sign.len()),
            None => {
                let special = |c: char| BLANKS.contains(&c) || "=!(),><".contains(c);
                let length = rest.find(special).unwrap_or(rest.len());
                let word = match &rest[..length] {
                    "in" => Word::In,
                    "notin" => Word::NotIn,
                    _ => Word::Name,
                };
                (word, length)
            }
        };
        words.push((word, &rest[..length]));
        rest = rest[length..].trim_start_matches(BLANKS);
    }
    words
}

struct Parser<'a> {
    words: Vec<(Word, &'a str)>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn next(&self) -> (Word, &'a str) {
        self.words.get(self.at).copied().unwrap_or((Word::End, ""))
    }

    /// Where no operator can be, their names are as good as others.
    fn next_as_value(&self) -> (Word, &'a str) {
        match self.next() {
            (Word::In | Word::NotIn, text) => (Word::Name, text),
            other => other,
        }
    }

    fn take(&mut self) -> (Word, &'a str) {
        let word = self.next_as_value();
        self.at += 1;
        word
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut word, mut key) = self.take();
        let absent = word == Word::Not;
        if absent {
            (word, key) = self.take();
        }
        if word != Word::Name {
            return Err(format!("found '{key}', expected: identifier"));
        }
        check_key(key)?;
        if matches!(self.next().0, Word::End | Word::Comma) {
            let test = if absent { Test::Absent } else { Test::Exists };
            return Ok(Requirement { key: key.to_owned(), test });
        }
        if absent {
            // What follows is not looked at: it is in the way of the next comma.
            return Ok(Requirement { key: key.to_owned(), test: Test::Absent });
        }
        let (operator, found) = self.next();
        self.at += 1;
        let values = match operator {
            Word::In | Word::NotIn => self.values()?,
            Word::Equal | Word::NotEqual | Word::Above | Word::Below => vec![self.value()?],
            _ => return Err(format!("found '{found}', expected: {OPERATORS}")),
        };
        let test = test(operator, key, values)?;
        Ok(Requirement { key: key.to_owned(), test })
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.next().0, Word::End | Word::Comma) {
            return Ok(String::new());
        }
        match self.take() {
            (Word::Name, value) => Ok(value.to_owned()),
            (_, found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    /// A list in parentheses, in order and without repetitions. Between two commas is an empty value.
    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.take() {
            (Word::Open, _) => {}
            (_, found) => return Err(format!("found '{found}' expected: '('")),
        }
        let mut values = Vec::new();
        match self.next_as_value() {
            (Word::Close, _) => values.push(String::new()),
            (Word::Name | Word::Comma, _) => self.listed(&mut values)?,
            (_, found) => return Err(format!("found '{found}', expected: ',', ')' or identifier")),
        }
        self.at += 1;
        values.sort();
        values.dedup();
        Ok(values)
    }

    /// Up to the closing parenthesis.
    fn listed(&mut self, values: &mut Vec<String>) -> Result<(), String> {
        loop {
            match self.take() {
                (Word::Name, value) => {
                    values.push(value.to_owned());
                    match self.next_as_value() {
                        (Word::Comma, _) => {}
                        (Word::Close, _) => return Ok(()),
                        (_, found) => return Err(format!("found '{found}', expected: ',' or ')'")),
                    }
                }
                (Word::Comma, _) => {
                    if values.is_empty() {
                        values.push(String::new());
                    }
                    match self.next().0 {
                        Word::Close => {
                            values.push(String::new());
                            return Ok(());
                        }
                        Word::Comma => values.push(String::new()),
                        _ => {}
                    }
                }
                (_, found) => return Err(format!("found '{found}', expected: ',', or identifier")),
            }
        }
    }
}

fn test(operator: Word, key: &str, values: Vec<String>) -> Result<Test, String> {
    let mut errors = Errors::default();
    let mut number = 0;
    for (at, value) in values.iter().enumerate() {
        if matches!(operator, Word::Above | Word::Below) {
            match value.parse() {
                Ok(parsed) => number = parsed,
                Err(_) => errors.invalid(
                    format!("values[{at}]"),
                    &value.as_str().into(),
                    "for 'Gt', 'Lt' operators, the value must be an integer",
                ),
            }
        }
        let mut found = Errors::default();
        names::check_label_value(&"", &value.as_str().into(), &mut found);
        if let Some(why) = together(found, value) {
            errors.invalid(format!("values[{at}][{key}]"), &value.as_str().into(), &why);
        }
    }
    let errors: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
    match errors.as_slice() {
        [] => Ok(match operator {
            Word::Above => Test::Above(number),
            Word::Below => Test::Below(number),
            Word::NotIn | Word::NotEqual => Test::NotIn(values),
            _ => Test::In(values),
        }),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let mut errors = Errors::default();
    names::check_qualified(&"", &key.into(), &mut errors);
    match together(errors, key) {
        // The field has no name here.
        Some(why) => Err(format!("<nil>: Invalid value: {key:?}: {why}")),
        None => Ok(()),
    }
}

/// Several complaints about one value are told in one sentence.
fn together(errors: Errors, value: &str) -> Option<String> {
    let errors = errors.into_vec();
    let before = format!("Invalid value: {}: ", serde_json::Value::from(value));
    let details: Vec<&str> =
        errors.iter().map(|e| e.message.strip_prefix(&before).unwrap_or(&e.message)).collect();
    (!details.is_empty()).then(|| details.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_selector_is_told_in_the_words_of_the_server() {
        let name = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        let value = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
                     and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
                     '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
        let long = "x".repeat(64);
        let unable = |why: &str| format!("unable to parse requirement: {why}");
        for (query, told) in [
            ("=x", "found '=', expected: !, identifier, or 'end of string'".to_owned()),
            (",", "found ',', expected: !, identifier, or 'end of string'".to_owned()),
            ("a=b c", "found 'c', expected: ',' or 'end of string'".to_owned()),
            ("a,", "found '', expected: identifier after ','".to_owned()),
            ("!a=b", "found '=', expected: ',' or 'end of string'".to_owned()),
            ("!", unable("found '', expected: identifier")),
            ("a===b", unable("found '=', expected: identifier")),
            ("a b", unable("found 'b', expected: =, !=, ==, in, notin, >, <")),
            ("a in b", unable("found 'b' expected: '('")),
            ("a in (b", unable("found '', expected: ',' or ')'")),
            ("a in (", unable("found '', expected: ',', ')' or identifier")),
            ("a in (b,=", unable("found '=', expected: ',', or identifier")),
            (
                "a>x",
                unable(
                    "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
                ),
            ),
            ("a@=b", unable(&format!("<nil>: Invalid value: \"a@\": name part {name}"))),
            (
                "/=b",
                unable(&format!(
                    "<nil>: Invalid value: \"/\": prefix part must be non-empty; name part must be non-empty; name part {name}"
                )),
            ),
            ("a=b@", unable(&format!("values[0][a]: Invalid value: \"b@\": {value}"))),
            (
                &format!("a={long}"),
                unable(&format!(
                    "values[0][a]: Invalid value: \"{long}\": must be no more than 63 characters"
                )),
            ),
            (
                "a in (z@,b,y@)",
                unable(&format!(
                    "[values[1][a]: Invalid value: \"y@\": {value}, values[2][a]: Invalid value: \"z@\": {value}]"
                )),
            ),
        ] {
            assert_eq!(parse(query).unwrap_err(), told, "{query}");
        }
    }

    #[test]
    fn words_and_blanks_are_where_they_may_be() {
        let of = |key: &str, test: Test| Requirement { key: key.to_owned(), test };
        let all = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        for (query, expected) in [
            ("", vec![]),
            ("  ", vec![]),
            ("in in (in, notin,a ,a)", vec![of("in", Test::In(all(&["a", "in", "notin"])))]),
            ("a notin()", vec![of("a", Test::NotIn(all(&[""])))]),
            ("a in (,b,)", vec![of("a", Test::In(all(&["", "b"])))]),
            ("a=,b==c", vec![of("a", Test::In(all(&[""]))), of("b", Test::In(all(&["c"])))]),
            (
                "!a , x.y/b>1,c < 7",
                vec![of("a", Test::Absent), of("x.y/b", Test::Above(1)), of("c", Test::Below(7))],
            ),
        ] {
            assert_eq!(parse(query).as_ref(), Ok(&expected), "{query}");
        }
    }
}
