//! `printf` and `seq`: lines made from patterns and numbers.

use crate::runtime::process::Process;

/// How many characters one field can have.
const WIDEST: usize = 4096;
/// How many lines `seq` prints at a time.
const AT_ONCE: usize = 1000;

/// `printf FORMAT [ARGUMENT …]`: the format is used again until all arguments are.
pub(super) async fn printf(process: Process) -> i32 {
    let Some((format, arguments)) = process.arguments().split_first() else {
        process.complain("usage: printf FORMAT [ARGUMENT...]").await;
        return 2;
    };
    let mut left = arguments;
    let (mut out, mut code) = (String::new(), 0);
    loop {
        let before = left.len();
        match fill(format, &mut left, &mut out) {
            Ok(true) => {}
            Ok(false) => break,
            Err(wrong) => {
                code = process.complain(wrong).await;
                break;
            }
        }
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    match process.say(out).await {
        Ok(()) => code,
        Err(broken) => broken,
    }
}

/// Writes the format once. False when that was the end of all output (`\c`).
fn fill(format: &str, arguments: &mut &[String], out: &mut String) -> Result<bool, String> {
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\\' {
            let escaped: String = std::iter::once('\\').chain(rest.clone()).collect();
            let (text, taken) = escape(&escaped);
            let Some(text) = text else { return Ok(false) };
            out.push_str(&text);
            for _ in 1..taken {
                rest.next();
            }
            continue;
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut number = |stop: &mut dyn FnMut(char) -> bool| {
            let mut digits = String::new();
            while let Some(c) = rest.next_if(|c| stop(*c)) {
                digits.push(c);
            }
            digits
        };
        let flags = number(&mut |c| "-0+ #".contains(c));
        let width = number(&mut |c| c.is_ascii_digit()).parse().unwrap_or(0usize).min(WIDEST);
        let dot = number(&mut |c| c == '.');
        let precision = number(&mut |c| c.is_ascii_digit()).parse().unwrap_or(0usize).min(WIDEST);
        let precision = (!dot.is_empty()).then_some(precision);
        let Some(kind) = rest.next() else { return Err("%: invalid format".to_owned()) };
        if kind == '%' {
            out.push('%');
            continue;
        }
        let argument = arguments.split_first().map(|(first, others)| {
            *arguments = others;
            first.as_str()
        });
        let text = field(kind, argument.unwrap_or_default(), precision)?;
        let text = match text.strip_prefix('-') {
            _ if !flags.contains('+') || !"di".contains(kind) => text,
            Some(_) => text,
            None => format!("+{text}"),
        };
        out.push_str(&padded(&text, &flags, width, kind));
    }
    Ok(true)
}

fn field(kind: char, argument: &str, precision: Option<usize>) -> Result<String, String> {
    let number = || -> Result<i64, String> {
        let text = argument.trim();
        let parsed = match text.strip_prefix("0x") {
            _ if text.is_empty() => Ok(0),
            Some(hex) => i64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        parsed.map_err(|_| format!("invalid number '{argument}'"))
    };
    Ok(match kind {
        's' => argument.chars().take(precision.unwrap_or(usize::MAX)).collect(),
        'b' => unescaped(argument),
        'c' => argument.chars().take(1).collect(),
        'd' | 'i' | 'u' => number()?.to_string(),
        'x' => format!("{:x}", number()?),
        'X' => format!("{:X}", number()?),
        'o' => format!("{:o}", number()?),
        'f' => {
            let text = if argument.is_empty() { "0" } else { argument.trim() };
            let value: f64 = text.parse().map_err(|_| format!("invalid number '{argument}'"))?;
            format!("{value:.*}", precision.unwrap_or(6))
        }
        other => return Err(format!("%{other}: invalid format")),
    })
}

fn padded(text: &str, flags: &str, width: usize, kind: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    if flags.contains('-') {
        return format!("{text}{}", " ".repeat(missing));
    }
    if flags.contains('0') && !"sbc".contains(kind) {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    format!("{}{text}", " ".repeat(missing))
}

/// What a backslash and what follows it mean, and how many characters that is. Nothing for `\c`.
fn escape(text: &str) -> (Option<String>, usize) {
    let mut rest = text.chars().skip(1);
    let Some(c) = rest.next() else { return (Some("\\".to_owned()), 1) };
    if c.is_digit(8) {
        let digits: String = text.chars().skip(1).take_while(|c| c.is_digit(8)).take(4).collect();
        let short = if digits.starts_with('0') { &digits[..] } else { &digits[..digits.len().min(3)] };
        let value = u32::from_str_radix(short, 8).unwrap_or_default() & 0xff;
        return (char::from_u32(value).map(String::from), 1 + short.len());
    }
    let meant = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '"' | '\'' => c,
        'c' => return (None, 2),
        other => return (Some(format!("\\{other}")), 2),
    };
    (Some(meant.to_string()), 2)
}

fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (meant, taken) = escape(&rest[at..]);
        let Some(meant) = meant else { return out };
        out.push_str(&meant);
        let end = rest[at..].char_indices().nth(taken).map_or(rest.len(), |(index, _)| at + index);
        rest = &rest[end..];
    }
    out + rest
}

/// `seq [FIRST [STEP]] LAST`.
pub(super) async fn seq(process: Process) -> i32 {
    let numbers: Result<Vec<i64>, _> = process.arguments().iter().map(|text| text.parse::<i64>()).collect();
    let (first, step, last) = match numbers.as_deref() {
        Ok([last]) => (1, 1, *last),
        Ok([first, last]) => (*first, 1, *last),
        Ok([first, step, last]) if *step != 0 => (*first, *step, *last),
        _ => return process.complain("invalid argument").await,
    };
    let mut next = Some(first);
    let wanted = |n: &i64| if step > 0 { *n <= last } else { *n >= last };
    while next.is_some_and(|n| wanted(&n)) {
        let mut lines = String::new();
        for _ in 0..AT_ONCE {
            let Some(n) = next.filter(wanted) else { break };
            lines += &format!("{n}\n");
            next = n.checked_add(step);
        }
        if let Err(code) = process.say(lines).await {
            return code;
        }
    }
    0
}
