//! One field of a schedule: a list of numbers, names, ranges and steps.

use super::Grammar;

/// Says that a field was left open, which matters for days.
const ANY: u64 = 1 << 63;

/// The numbers that a field allows, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|n| self.0 >> n & 1 == 1)
    }

    /// Whether it allows none, as a lonely comma does.
    pub(super) const fn none(self) -> bool {
        self.0 & !ANY == 0
    }

    /// Whether it was left open.
    pub(super) const fn any(self) -> bool {
        self.0 & ANY != 0
    }
}

/// What a field may say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) low: u64,
    pub(super) high: u64,
    /// Names of the numbers from `low` on.
    pub(super) names: &'static [&'static str],
}

impl Bounds {
    pub(super) fn read(&self, field: &str, grammar: Grammar) -> Result<Numbers, String> {
        let mut parts = field.split(',').filter(|part| !part.is_empty());
        parts.try_fold(0, |bits, part| Ok(bits | self.range(part, grammar)?)).map(Numbers)
    }

    fn range(&self, part: &str, grammar: Grammar) -> Result<u64, String> {
        let mut by_step = part.split('/');
        let ends: Vec<&str> = by_step.next().unwrap_or_default().split('-').collect();
        let mut any = 0;
        let (from, mut to) = match ends.as_slice() {
            ["*" | "?", ..] => {
                any = ANY;
                (self.low, self.high)
            }
            [only] => {
                let only = self.number_or_name(only)?;
                (only, only)
            }
            [from, to] => (self.number_or_name(from)?, self.number_or_name(to)?),
            [from, ..] => {
                self.number_or_name(from)?;
                return Err(format!("too many hyphens: {part}"));
            }
            [] => return Err(format!("too many hyphens: {part}")),
        };
        let mut step = 1;
        if let Some(text) = by_step.next() {
            if by_step.next().is_some() {
                return Err(format!("too many slashes: {part}"));
            }
            step = number(text)?;
            // A start with a step goes on to the end.
            if ends.len() == 1 {
                to = self.high;
            }
            if step > 1 && grammar == Grammar::V3 {
                any = 0;
            }
        }
        if from < self.low {
            return Err(format!("beginning of range ({from}) below minimum ({}): {part}", self.low));
        }
        if to > self.high {
            return Err(format!("end of range ({to}) above maximum ({}): {part}", self.high));
        }
        if from > to {
            return Err(format!("beginning of range ({from}) beyond end of range ({to}): {part}"));
        }
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Ok((from..=to).step_by(step).fold(any, |bits, n| bits | 1 << n))
    }

    fn number_or_name(&self, text: &str) -> Result<u64, String> {
        let lower = text.to_lowercase();
        let named = self.names.iter().position(|name| *name == lower);
        match named.and_then(|index| u64::try_from(index).ok()) {
            Some(index) => Ok(index + self.low),
            None => number(text),
        }
    }
}

/// A number as Go's `strconv.Atoi` reads it. It can't have a sign that makes it negative: that would be a range.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let failed =
        |why: &str| Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}"));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return failed("invalid syntax");
    }
    match digits.parse::<i64>() {
        Ok(number) => Ok(number.unsigned_abs()),
        Err(_) => failed("value out of range"),
    }
}
