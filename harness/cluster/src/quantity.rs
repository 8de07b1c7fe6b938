//! Amounts of resources: `500m`, `1Gi`, `2e3`. Exact to a billionth, and written as the API writes them.
//!
//! Whether a text is a quantity at all is for the schema to say.

use std::{
    cmp::Ordering,
    fmt::{self, Write},
};

use serde_json::Value;

/// A billionth of one, the smallest part there is.
const NANO: i128 = 1_000_000_000;
/// A thousandth, in billionths.
const MILLI: i128 = NANO / 1000;

/// Suffixes of decimal quantities, by powers of a thousand from a billionth on.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Suffixes of binary quantities, by powers of 1024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// How a quantity is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Decimal,
    Binary,
    Exponent,
}

/// An amount of a resource.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// That many whole ones.
    pub(crate) fn of(count: i64) -> Self {
        Self { nanos: i128::from(count) * NANO, format: Format::Decimal }
    }

    /// The quantity that a field holds; `None` when it holds none.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// The quantity that a text stands for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let power = |base: i128, exponent: usize| base.checked_pow(u32::try_from(exponent).ok()?);
        if let Some(n) = DECIMAL.iter().position(|s| *s == suffix) {
            return Some(Self { nanos: scaled(number, power(1000, n)?)?, format: Format::Decimal });
        }
        if let Some(n) = BINARY.iter().position(|s| *s == suffix) {
            return Some(Self { nanos: scaled(number, power(1024, n)? * NANO)?, format: Format::Binary });
        }
        let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
        let factor = |exponent: i32| power(10, usize::try_from(exponent).ok()?);
        let nanos = scaled(number, factor(exponent.checked_add(9)?)?)?;
        Some(Self { nanos, format: Format::Exponent })
    }

    /// The canonical form of a text, in which the API keeps quantities (`Quantity` of apimachinery): the largest suffix
    /// of the text's own kind that leaves a whole number. Those of resources go up to whole `thousandths`
    /// (`SetDefaults_ResourceList`). Nothing for a text that is in this form already, or no quantity.
    pub(crate) fn canonical(text: &str, thousandths: bool) -> Option<String> {
        let mut quantity = Self::parse(text)?;
        let over = quantity.nanos % MILLI;
        if thousandths && over != 0 {
            quantity.nanos = quantity.nanos.saturating_add(over.signum() * MILLI - over);
        }
        let mut rest = Rest(text);
        let same = write!(rest, "{quantity}").is_ok() && rest.0.is_empty();
        (!same).then(|| quantity.to_string())
    }

    /// Whether it is nothing.
    pub(crate) fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether nothing of it is less than one.
    pub(crate) fn is_whole(self) -> bool {
        self.nanos % NANO == 0
    }

    /// Whether it is more than nothing.
    pub(crate) fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// The sum, written as the first is.
    pub(crate) fn plus(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nanos: self.nanos.saturating_add(other.nanos), format }
    }

    /// The difference, written as the first is.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(other.nanos), format: self.format }
    }

    /// The number as nearly as a float can say it.
    pub(crate) fn as_f64(self) -> f64 {
        self.nanos as f64 / NANO as f64
    }
}

/// `number` × `factor`; what is left below one is rounded up, as the API does.
fn scaled(number: &str, factor: i128) -> Option<i128> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.get(..fraction.len().min(18))?;
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits = whole.chars().chain(fraction.chars());
    let mantissa = digits
        .try_fold(0_i128, |number, digit| number.checked_mul(10)?.checked_add(digit.to_digit(10)?.into()))?;
    let parts = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let product = mantissa.checked_mul(factor)?;
    let nanos = product / parts + i128::from(product % parts != 0);
    Some(if negative { -nanos } else { nanos })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// With the largest suffix that leaves a whole number.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let small = self.nanos.abs() < 1024 * NANO || self.nanos % NANO != 0;
        if self.format == Format::Binary && !small {
            let (number, power) = reduced(self.nanos / NANO, 1024, BINARY.len() - 1);
            return write!(f, "{number}{}", BINARY[power]);
        }
        let (number, power) = reduced(self.nanos, 1000, DECIMAL.len() - 1);
        match self.format {
            Format::Exponent => match 3 * i64::try_from(power).unwrap_or_default() - 9 {
                0 => write!(f, "{number}"),
                exponent => write!(f, "{number}e{exponent}"),
            },
            _ => write!(f, "{number}{}", DECIMAL[power]),
        }
    }
}

/// Divided by `base` as often as that leaves nothing over, and how often that was.
fn reduced(mut number: i128, base: i128, most: usize) -> (i128, usize) {
    let mut power = 0;
    while power < most && number % base == 0 {
        number /= base;
        power += 1;
    }
    (number, power)
}

/// What is left of a text when what is written to it has been found at its beginning: compares without writing.
struct Rest<'a>(&'a str);

impl Write for Rest<'_> {
    fn write_str(&mut self, written: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(written).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
