//! From words to arguments: variables, command substitution, and splitting what was not quoted.

use super::{
    DEPTH, Shell, arithmetic,
    words::{self, Piece, Trouble, Word},
};
use crate::runtime::process::{Process, Sink, pipe};

/// How much one expansion can come to.
const LONGEST: usize = 1024 * 1024;

impl Shell {
    /// The arguments that words come to.
    pub(super) async fn arguments(&mut self, words: &[Word]) -> Vec<String> {
        let mut all = Vec::new();
        for word in words {
            self.expand(word, true, &mut all).await;
        }
        all
    }

    /// What a word comes to when it stays one.
    pub(super) async fn text(&mut self, word: &Word) -> String {
        let mut all = Vec::new();
        self.expand(word, false, &mut all).await;
        all.concat()
    }

    async fn expand(&mut self, word: &Word, split: bool, all: &mut Vec<String>) {
        let mut present: Option<String> = word.quoted.then(String::new);
        for (index, piece) in word.pieces.iter().enumerate() {
            let (value, quoted) = match piece {
                Piece::Text(text) if index == 0 && !word.quoted && text.starts_with('~') => {
                    (self.home(text), true)
                }
                Piece::Text(text) => (text.clone(), true),
                Piece::Variable { name, quoted: true, .. } if name == "@" && split => {
                    let mut rest = self.positional.iter().skip(1);
                    if let Some(first) = rest.next() {
                        present.get_or_insert_default().push_str(first);
                        for next in rest {
                            all.push(std::mem::replace(present.get_or_insert_default(), next.clone()));
                        }
                    }
                    continue;
                }
                Piece::Variable { name, fallback, quoted } => {
                    let value = self.value(name).filter(|v| fallback.is_none() || !v.is_empty());
                    (value.or_else(|| fallback.clone()).unwrap_or_default(), *quoted)
                }
                Piece::Output { script, quoted } => (self.output(script).await, *quoted),
                Piece::Arithmetic(expression) => (self.arithmetic(expression).await, true),
            };
            if quoted || !split {
                present.get_or_insert_default().push_str(&value);
                continue;
            }
            if value.starts_with(char::is_whitespace) {
                all.extend(present.take().filter(|p| !p.is_empty()));
            }
            let mut parts = value.split_whitespace().peekable();
            while let Some(part) = parts.next() {
                present.get_or_insert_default().push_str(part);
                if parts.peek().is_some() || value.ends_with(char::is_whitespace) {
                    all.extend(present.take());
                }
            }
        }
        all.extend(present);
    }

    async fn arithmetic(&mut self, inside: &str) -> String {
        let why = match words::expression(inside) {
            _ if self.depth >= DEPTH => "nested too deeply".to_owned(),
            Err(Trouble::Unfinished) => "arithmetic syntax error".to_owned(),
            Err(Trouble::Wrong(why)) => why,
            Ok(word) => {
                self.depth += 1;
                let expression = Box::pin(self.text(&word)).await;
                self.depth -= 1;
                match arithmetic::evaluate(&expression, &mut self.process.variables) {
                    Ok(value) => return value.to_string(),
                    Err(why) => why,
                }
            }
        };
        self.process.complain(why).await;
        String::new()
    }

    fn home(&self, text: &str) -> String {
        let home = self.process.variables.get("HOME").map_or("/", String::as_str);
        match text.strip_prefix('~') {
            Some("") => home.to_owned(),
            Some(rest) if rest.starts_with('/') => format!("{home}{rest}"),
            _ => text.to_owned(),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.last.to_string()),
            "$" => Some("1".to_owned()),
            "#" => Some(self.positional.len().saturating_sub(1).to_string()),
            "@" | "*" => Some(self.positional.get(1..).unwrap_or_default().join(" ")),
            "PWD" => Some(self.process.directory.clone()),
            _ => match name.parse::<usize>() {
                Ok(index) => self.positional.get(index).cloned(),
                Err(_) => self.process.variables.get(name).cloned(),
            },
        }
    }

    /// What a script prints, without the ends of its last lines.
    async fn output(&mut self, script: &str) -> String {
        if self.depth >= DEPTH {
            self.process.complain("nested too deeply").await;
            return String::new();
        }
        let (writer, reader) = pipe();
        let mut inner = self.clone();
        inner.depth += 1;
        inner.process.stdout = writer;
        let run = async move {
            let code = Box::pin(inner.script(script)).await;
            // Nobody writes any more: its reader comes to the end.
            drop(inner);
            code
        };
        let taken = Process { stdin: reader, stdout: Sink::nowhere(), ..self.process.clone() };
        let (code, printed) = futures::future::join(run, taken.read_all()).await;
        self.last = code;
        let mut printed = printed.unwrap_or_default();
        printed.truncate(LONGEST);
        while printed.last() == Some(&b'\n') {
            printed.pop();
        }
        String::from_utf8_lossy(&printed).into_owned()
    }
}
