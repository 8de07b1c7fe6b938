//! From words and operators to what a script means.

use super::words::{Token, Trouble, Word, cut, is_name};

/// How deep constructs can be inside each other.
const DEPTH: usize = 40;

/// A redirection of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) stream: u8,
    /// `<`, `>`, `>>` or `>&`.
    pub(super) how: &'static str,
    pub(super) target: Word,
}

/// Something that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Assignments and words.
    Simple { assignments: Vec<(String, Word)>, words: Vec<Word>, redirects: Vec<Redirect> },
    /// `{ …; }`, or `( … )` with `apart`.
    Group { body: List, apart: bool, redirects: Vec<Redirect> },
    /// `if …; then …; [elif …; then …;] [else …;] fi`
    If { branches: Vec<(List, List)>, otherwise: Option<List>, redirects: Vec<Redirect> },
    /// `while …; do …; done`, or `until`.
    While { condition: List, until: bool, body: List, redirects: Vec<Redirect> },
    /// `for x in …; do …; done`
    For { name: String, words: Vec<Word>, body: List, redirects: Vec<Redirect> },
}

/// Commands joined by `|`, perhaps with `!` in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) commands: Vec<Command>,
    pub(super) not: bool,
}

/// When a pipeline of a list is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    AfterSuccess,
    AfterFailure,
}

/// Pipelines one after the other.
pub(super) type List = Vec<(When, Pipeline)>;

/// Reads a script.
pub(super) fn parse(script: &str) -> Result<List, Trouble> {
    let mut parser = Parser { tokens: cut(script)?, at: 0, depth: 0 };
    let list = parser.list(&[])?;
    match parser.peek() {
        None => Ok(list),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

const RESERVED: [&str; 13] =
    ["then", "elif", "else", "fi", "do", "done", "}", "if", "while", "until", "for", "{", "in"];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn operator(&self) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Operator(operator)) => Some(operator),
            _ => None,
        }
    }

    fn keyword(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) => word.plain(),
            _ => None,
        }
    }

    fn unexpected(&self) -> Trouble {
        let what = match self.peek() {
            None => return Trouble::Unfinished,
            Some(Token::Operator("\n")) => "newline".to_owned(),
            Some(Token::Operator(operator)) => (*operator).to_owned(),
            Some(Token::Redirect(_, how)) => (*how).to_owned(),
            Some(Token::Word(word)) => match word.plain() {
                Some(plain) if RESERVED.contains(&plain) => plain.to_owned(),
                _ => "word".to_owned(),
            },
        };
        Trouble::Wrong(format!("syntax error: unexpected \"{what}\""))
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Trouble> {
        if self.keyword() == Some(keyword) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn skip_lines(&mut self) {
        while self.operator() == Some("\n") {
            self.at += 1;
        }
    }

    /// A list that ends before one of these words, or where nothing can follow.
    fn list(&mut self, ends: &[&str]) -> Result<List, Trouble> {
        let mut list = List::new();
        let mut when = When::Always;
        loop {
            if when == When::Always {
                while matches!(self.operator(), Some("\n" | ";"))
                    && !(list.is_empty() && self.operator() == Some(";"))
                {
                    self.at += 1;
                }
                let ended = self.keyword().is_some_and(|k| ends.contains(&k));
                if ended || self.peek().is_none() || self.operator() == Some(")") {
                    return Ok(list);
                }
            } else {
                self.skip_lines();
            }
            list.push((when, self.pipeline()?));
            when = match self.operator() {
                Some("&&") => When::AfterSuccess,
                Some("||") => When::AfterFailure,
                Some(";" | "\n") => When::Always,
                Some(")") | None if self.peek().is_none() || self.operator().is_some() => return Ok(list),
                _ => return Err(self.unexpected()),
            };
            self.at += 1;
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Trouble> {
        let mut not = false;
        while self.keyword() == Some("!") {
            self.at += 1;
            not = !not;
        }
        let mut commands = vec![self.command()?];
        while self.operator() == Some("|") {
            self.at += 1;
            self.skip_lines();
            commands.push(self.command()?);
        }
        Ok(Pipeline { commands, not })
    }

    fn command(&mut self) -> Result<Command, Trouble> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Trouble::Wrong("nested too deeply".to_owned()));
        }
        let command = self.any_command();
        self.depth -= 1;
        command
    }

    fn any_command(&mut self) -> Result<Command, Trouble> {
        if self.operator() == Some("(") {
            self.at += 1;
            let body = self.list(&[])?;
            if self.operator() != Some(")") {
                return Err(self.unexpected());
            }
            self.at += 1;
            return Ok(Command::Group { body, apart: true, redirects: self.redirects()? });
        }
        match self.keyword() {
            Some("{") => {
                self.at += 1;
                let body = self.list(&["}"])?;
                self.expect("}")?;
                Ok(Command::Group { body, apart: false, redirects: self.redirects()? })
            }
            Some("if") => self.conditional(),
            Some(word @ ("while" | "until")) => {
                let until = word == "until";
                self.at += 1;
                let condition = self.list(&["do"])?;
                let body = self.body()?;
                Ok(Command::While { condition, until, body, redirects: self.redirects()? })
            }
            Some("for") => self.each(),
            Some(word) if RESERVED.contains(&word) && word != "in" => Err(self.unexpected()),
            _ => self.simple(),
        }
    }

    fn body(&mut self) -> Result<List, Trouble> {
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn conditional(&mut self) -> Result<Command, Trouble> {
        let (mut branches, mut otherwise) = (Vec::new(), None);
        self.expect("if")?;
        loop {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            match self.keyword() {
                Some("elif") => self.at += 1,
                Some("else") => {
                    self.at += 1;
                    otherwise = Some(self.list(&["fi"])?);
                    break;
                }
                _ => break,
            }
        }
        self.expect("fi")?;
        Ok(Command::If { branches, otherwise, redirects: self.redirects()? })
    }

    fn each(&mut self) -> Result<Command, Trouble> {
        self.expect("for")?;
        let Some(Token::Word(word)) = self.next() else { return Err(Trouble::Unfinished) };
        let Some(name) = word.plain().filter(|n| n.chars().all(is_name)) else {
            return Err(Trouble::Wrong("syntax error: bad for loop variable".to_owned()));
        };
        let name = name.to_owned();
        self.skip_lines();
        let mut words = Vec::new();
        self.expect("in")?;
        while let Some(Token::Word(word)) = self.peek() {
            words.push(word.clone());
            self.at += 1;
        }
        if !matches!(self.operator(), Some(";" | "\n")) {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.skip_lines();
        let body = self.body()?;
        Ok(Command::For { name, words, body, redirects: self.redirects()? })
    }

    fn redirects(&mut self) -> Result<Vec<Redirect>, Trouble> {
        let mut all = Vec::new();
        while let Some(Token::Redirect(stream, how)) = self.peek() {
            let (stream, how) = (*stream, *how);
            self.at += 1;
            match self.next() {
                Some(Token::Word(target)) => all.push(Redirect { stream, how, target }),
                None => return Err(Trouble::Unfinished),
                Some(_) => {
                    self.at -= 1;
                    return Err(self.unexpected());
                }
            }
        }
        Ok(all)
    }

    fn simple(&mut self) -> Result<Command, Trouble> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match self.peek() {
                Some(Token::Redirect(..)) => redirects.extend(self.redirects()?),
                Some(Token::Word(word)) => {
                    let word = word.clone();
                    self.at += 1;
                    match assignment(&word).filter(|_| words.is_empty()) {
                        Some(assignment) => assignments.push(assignment),
                        None => words.push(word),
                    }
                }
                _ => break,
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Command::Simple { assignments, words, redirects })
    }
}

/// The name and the value of a word like `name=value`.
fn assignment(word: &Word) -> Option<(String, Word)> {
    use super::words::Piece;
    let Some(Piece::Text(first)) = word.pieces.first() else { return None };
    let (name, rest) = first.split_once('=')?;
    let named = name.chars().all(is_name) && name.starts_with(|c: char| !c.is_ascii_digit());
    if name.is_empty() || !named {
        return None;
    }
    let mut pieces = vec![Piece::Text(rest.to_owned())];
    pieces.extend(word.pieces.iter().skip(1).cloned());
    Some((name.to_owned(), Word { pieces, quoted: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(script: &str) -> usize {
        parse(script).unwrap_or_else(|e| panic!("{script}: {e:?}")).len()
    }

    #[test]
    fn scripts_are_read() {
        assert_eq!(count("echo a; echo b && echo c || echo d\n\n# nothing\n"), 4);
        assert_eq!(count("while true; do date; sleep 1; done"), 1);
        assert_eq!(count("if [ -f x ]; then echo y; elif false\nthen :; else echo n; fi; echo z"), 2);
        assert_eq!(count("for i in 1 2 3; do echo $i; done > out 2>&1"), 1);
        assert_eq!(count("(cd /tmp; ls) | cat > x"), 1);
        assert_eq!(count("{ echo a; echo b; } 2>/dev/null"), 1);
        assert_eq!(count(""), 0);
    }

    #[test]
    fn what_is_unfinished_is_told_from_what_is_wrong() {
        for unfinished in ["echo 'a", "if true; then", "echo a |", "echo a &&", "echo \"$(ls", "for"] {
            assert_eq!(parse(unfinished), Err(Trouble::Unfinished), "{unfinished}");
        }
        for wrong in ["; echo", "echo a | | b", "fi", "a && || b", "echo )", "sleep 1 &", "${", "echo ${a b}"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let deep = "(".repeat(500);
        assert!(matches!(parse(&deep), Err(Trouble::Wrong(_))));
    }
}
