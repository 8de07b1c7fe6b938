//! Cutting a script into words and operators.

use std::iter::Peekable;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// The value of a variable; not split when quoted.
    Variable { name: String, fallback: Option<String>, quoted: bool },
    /// What a script prints; not split when quoted.
    Output { script: String, quoted: bool },
    /// What an expression comes to.
    Arithmetic(String),
}

/// A word: pieces side by side. Quotes make even nothing a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    pub(super) quoted: bool,
}

impl Word {
    /// The word, if it is plain text.
    pub(super) fn plain(&self) -> Option<&str> {
        match (self.quoted, self.pieces.as_slice()) {
            (false, [Piece::Text(text)]) => Some(text),
            _ => None,
        }
    }
}

/// A word or an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `;`, `&&`, `||`, `|`, `&`, `(`, `)`, `;;` or a line's end.
    Operator(&'static str),
    /// A redirection: which stream, and how.
    Redirect(u8, &'static str),
}

/// Why a script can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// More lines may complete it.
    Unfinished,
    /// Never.
    Wrong(String),
}

type Characters<'a> = Peekable<std::str::Chars<'a>>;

/// Cuts a script.
pub(super) fn cut(script: &str) -> Result<Vec<Token>, Trouble> {
    let mut tokens = Vec::new();
    let mut rest = script.chars().peekable();
    while let Some(&c) = rest.peek() {
        match c {
            ' ' | '\t' | '\r' => drop(rest.next()),
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            '\n' | ';' | '&' | '|' | '(' | ')' => tokens.push(Token::Operator(operator(&mut rest))),
            '<' | '>' => tokens.push(redirect(&mut rest, None)?),
            '0'..='2' if is_stream(&rest) => {
                let stream = rest.next().and_then(|c| c.to_digit(10)).and_then(|d| u8::try_from(d).ok());
                tokens.push(redirect(&mut rest, stream)?);
            }
            _ => tokens.push(Token::Word(word(&mut rest)?)),
        }
    }
    Ok(tokens)
}

fn is_stream(rest: &Characters<'_>) -> bool {
    rest.clone().nth(1).is_some_and(|c| matches!(c, '<' | '>'))
}

fn operator(rest: &mut Characters<'_>) -> &'static str {
    let first = rest.next();
    let twice = rest.peek().copied() == first;
    let (double, single) = match first {
        Some('&') => ("&&", "&"),
        Some('|') => ("||", "|"),
        Some(';') => (";;", ";"),
        Some('(') => ("", "("),
        Some(')') => ("", ")"),
        _ => ("", "\n"),
    };
    if twice && !double.is_empty() {
        rest.next();
        return double;
    }
    single
}

fn redirect(rest: &mut Characters<'_>, stream: Option<u8>) -> Result<Token, Trouble> {
    if rest.next() == Some('<') {
        if rest.peek() == Some(&'<') {
            return Err(Trouble::Wrong("here documents are not supported".to_owned()));
        }
        return Ok(Token::Redirect(stream.unwrap_or(0), "<"));
    }
    let stream = stream.unwrap_or(1);
    Ok(Token::Redirect(
        stream,
        match rest.peek() {
            Some('>') => {
                rest.next();
                ">>"
            }
            Some('&') => {
                rest.next();
                ">&"
            }
            _ => ">",
        },
    ))
}

fn word(rest: &mut Characters<'_>) -> Result<Word, Trouble> {
    let mut word = Word::default();
    let mut text = String::new();
    let flush = |text: &mut String, word: &mut Word| {
        if !text.is_empty() {
            word.pieces.push(Piece::Text(std::mem::take(text)));
        }
    };
    while let Some(&c) = rest.peek() {
        match c {
            ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
            '\'' => {
                rest.next();
                word.quoted = true;
                loop {
                    match rest.next().ok_or(Trouble::Unfinished)? {
                        '\'' => break,
                        c => text.push(c),
                    }
                }
            }
            '"' => {
                rest.next();
                word.quoted = true;
                loop {
                    match rest.next().ok_or(Trouble::Unfinished)? {
                        '"' => break,
                        '\\' => match rest.next().ok_or(Trouble::Unfinished)? {
                            '\n' => {}
                            c @ ('"' | '\\' | '$' | '`') => text.push(c),
                            c => text.extend(['\\', c]),
                        },
                        '$' => dollar(rest, true, &mut text, &mut word)?,
                        '`' => backquote(rest, true, &mut text, &mut word)?,
                        c => text.push(c),
                    }
                }
            }
            '\\' => {
                rest.next();
                match rest.next() {
                    Some('\n') => {}
                    Some(c) => {
                        word.quoted = true;
                        text.push(c);
                    }
                    None => return Err(Trouble::Unfinished),
                }
            }
            '$' => {
                rest.next();
                dollar(rest, false, &mut text, &mut word)?;
            }
            '`' => {
                rest.next();
                backquote(rest, false, &mut text, &mut word)?;
            }
            c => {
                rest.next();
                text.push(c);
            }
        }
    }
    flush(&mut text, &mut word);
    Ok(word)
}

/// What follows a dollar sign.
fn dollar(
    rest: &mut Characters<'_>,
    quoted: bool,
    text: &mut String,
    word: &mut Word,
) -> Result<(), Trouble> {
    let piece = match rest.peek().copied() {
        Some('(') => {
            rest.next();
            if rest.peek() == Some(&'(') {
                rest.next();
                let inside = until_closed(rest)?;
                match rest.next() {
                    Some(')') => Piece::Arithmetic(inside),
                    Some(_) => return Err(Trouble::Wrong("arithmetic syntax error".to_owned())),
                    None => return Err(Trouble::Unfinished),
                }
            } else {
                Piece::Output { script: until_closed(rest)?, quoted }
            }
        }
        Some('{') => {
            rest.next();
            let mut inner = String::new();
            loop {
                match rest.next().ok_or(Trouble::Unfinished)? {
                    '}' => break,
                    c => inner.push(c),
                }
            }
            let (name, fallback) = match inner.split_once(":-").or_else(|| inner.split_once('-')) {
                Some((name, fallback)) => (name.to_owned(), Some(fallback.to_owned())),
                None => (inner, None),
            };
            if name.is_empty() || !name.chars().all(|c| is_name(c) || "?#@*$".contains(c)) {
                return Err(Trouble::Wrong("bad substitution".to_owned()));
            }
            Piece::Variable { name, fallback, quoted }
        }
        Some(c) if is_name(c) && !c.is_ascii_digit() => {
            let mut name = String::new();
            while let Some(c) = rest.next_if(|c| is_name(*c)) {
                name.push(c);
            }
            Piece::Variable { name, fallback: None, quoted }
        }
        Some(c) if c.is_ascii_digit() || "?#@*$".contains(c) => {
            rest.next();
            Piece::Variable { name: c.to_string(), fallback: None, quoted }
        }
        _ => {
            text.push('$');
            return Ok(());
        }
    };
    if !text.is_empty() {
        word.pieces.push(Piece::Text(std::mem::take(text)));
    }
    word.pieces.push(piece);
    Ok(())
}

/// The inside of `$((…))` as a word: only its dollar signs mean something.
pub(super) fn expression(inside: &str) -> Result<Word, Trouble> {
    let (mut word, mut text) = (Word { quoted: true, ..Word::default() }, String::new());
    let mut rest = inside.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' => dollar(&mut rest, true, &mut text, &mut word)?,
            '`' => backquote(&mut rest, true, &mut text, &mut word)?,
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        word.pieces.push(Piece::Text(text));
    }
    Ok(word)
}

fn backquote(
    rest: &mut Characters<'_>,
    quoted: bool,
    text: &mut String,
    word: &mut Word,
) -> Result<(), Trouble> {
    let mut script = String::new();
    loop {
        match rest.next().ok_or(Trouble::Unfinished)? {
            '`' => break,
            c => script.push(c),
        }
    }
    if !text.is_empty() {
        word.pieces.push(Piece::Text(std::mem::take(text)));
    }
    word.pieces.push(Piece::Output { script, quoted });
    Ok(())
}

/// The script up to the parenthesis that closes it.
fn until_closed(rest: &mut Characters<'_>) -> Result<String, Trouble> {
    let (mut script, mut depth, mut quote) = (String::new(), 1, None);
    loop {
        let c = rest.next().ok_or(Trouble::Unfinished)?;
        match (quote, c) {
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
        if depth == 0 {
            return Ok(script);
        }
        script.push(c);
    }
}

pub(super) fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}
