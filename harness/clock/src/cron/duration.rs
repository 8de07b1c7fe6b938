//! Intervals as Go writes them: `1h30m`, `1.5h`, `-2s`.

use jiff::SignedDuration;

/// What the units are in nanoseconds. Two of the signs look the same.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
];

/// Reads an interval as Go writes it (`1h30m`), with the complaints of Go's `time.ParseDuration`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let (before, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if before.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
        };
        let whole: i128 = if before.is_empty() { 0 } else { before.parse().map_err(|_| invalid())? };
        nanos = whole
            .checked_mul(*size)
            .and_then(|whole| nanos.checked_add(whole)?.checked_add(part(fraction, *size)))
            .filter(|nanos| i64::try_from(*nanos).is_ok())
            .ok_or_else(invalid)?;
        rest = after;
    }
    let nanos = i64::try_from(nanos).map_err(|_| invalid())?;
    Ok(SignedDuration::from_nanos(if negative { -nanos } else { nanos }))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The fraction of a unit. Digits that count no nanosecond are left out.
fn part(fraction: &str, size: i128) -> i128 {
    let mut scale = 1;
    let mut number = 0;
    for digit in fraction.bytes().take(18) {
        scale *= 10;
        number = number * 10 + i128::from(digit - b'0');
    }
    number * size / scale
}

/// In quotes, as that part of Go does it: what is not ASCII as bytes.
fn quote(text: &str) -> String {
    let shown = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("\"{}\"", shown.collect::<String>())
}
