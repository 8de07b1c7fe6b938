//! Arithmetic: what `$((…))` comes to. Whole numbers, the operators of C, variables with or without a dollar sign.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// How deep parentheses and signs can be nested.
const DEPTH: usize = 64;

/// The operators between two numbers, the loosest first; longer ones before those that they begin with.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// What an expression comes to, as shells print it.
///
/// # Errors
/// What is wrong with it, in a shell's words.
pub(super) fn evaluate(expression: &str, variables: &mut BTreeMap<String, String>) -> Result<i64, String> {
    let mut reader = Reader { rest: expression.chars().peekable(), variables, depth: 0 };
    if reader.blank() {
        return Ok(0);
    }
    let value = reader.whole()?;
    if reader.blank() { Ok(value) } else { Err(syntax()) }
}

fn syntax() -> String {
    "arithmetic syntax error".to_owned()
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    variables: &'a mut BTreeMap<String, String>,
    depth: usize,
}

impl Reader<'_> {
    /// Skips spaces. True at the end.
    fn blank(&mut self) -> bool {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.peek().is_none()
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            self.rest.next();
        }
    }

    /// Takes one of these operators.
    fn operator(&mut self, known: &[&'static str]) -> Option<&'static str> {
        self.blank();
        let ahead: String = self.rest.clone().take(2).collect();
        // `&` and `&&`, `<` and `<<` are different operators.
        let doubled = matches!(ahead.as_str(), "||" | "&&" | "<<" | ">>");
        let found = known.iter().find(|op| if doubled { ahead == **op } else { ahead.starts_with(**op) })?;
        self.skip(found.len());
        Some(found)
    }

    /// An assignment, or what is worth a number by itself.
    fn whole(&mut self) -> Result<i64, String> {
        let start = self.rest.clone();
        if let Some(name) = self.name() {
            self.blank();
            let ahead: String = self.rest.clone().take(2).collect();
            let operator = ["+=", "-=", "*=", "/=", "%="].into_iter().find(|op| ahead == *op);
            if operator.is_some() || ahead.starts_with('=') && ahead != "==" {
                let taken = operator.map_or(1, str::len);
                self.skip(taken);
                let mut value = self.nested(Self::whole)?;
                if let Some(operator) = operator {
                    value = apply(&operator[..1], self.value(&name), value)?;
                }
                self.variables.insert(name, value.to_string());
                return Ok(value);
            }
        }
        self.rest = start;
        self.level(0)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<i64, String>) -> Result<i64, String> {
        if self.depth >= DEPTH {
            return Err("expression recursion level exceeded".to_owned());
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn level(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.single() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.level(level + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<i64, String> {
        self.blank();
        match self.rest.peek().copied() {
            Some('(') => {
                self.rest.next();
                let value = self.nested(Self::whole)?;
                self.blank();
                if self.rest.next() == Some(')') { Ok(value) } else { Err(syntax()) }
            }
            Some(sign @ ('-' | '+' | '!' | '~')) => {
                self.rest.next();
                let value = self.nested(Self::single)?;
                Ok(match sign {
                    '-' => value.wrapping_neg(),
                    '!' => i64::from(value == 0),
                    '~' => !value,
                    _ => value,
                })
            }
            Some(c) if c.is_ascii_digit() => self.number(),
            _ => match self.name() {
                Some(name) => Ok(self.value(&name)),
                None => Err(syntax()),
            },
        }
    }

    fn name(&mut self) -> Option<String> {
        self.blank();
        self.rest.peek().filter(|c| **c == '_' || c.is_ascii_alphabetic())?;
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| super::words::is_name(*c)) {
            name.push(c);
        }
        Some(name)
    }

    fn value(&self, name: &str) -> i64 {
        self.variables.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    fn number(&mut self) -> Result<i64, String> {
        let mut digits = String::new();
        while let Some(c) = self.rest.next_if(char::is_ascii_alphanumeric) {
            digits.push(c);
        }
        let (text, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None if digits.len() > 1 && digits.starts_with('0') => (digits.as_str(), 8),
            None => (digits.as_str(), 10),
        };
        i64::from_str_radix(text, radix).map_err(|_| syntax())
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Result<i64, String> {
    let shift = u32::try_from(right & 63).unwrap_or_default();
    Ok(match operator {
        "||" => i64::from(left != 0 || right != 0),
        "&&" => i64::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "<<" => left.wrapping_shl(shift),
        ">>" => left.wrapping_shr(shift),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" | "%" if right == 0 => return Err("divide by zero".to_owned()),
        "/" => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_come_to_what_they_do_in_c() {
        let mut variables =
            BTreeMap::from([("i".to_owned(), "41".to_owned()), ("x".to_owned(), "no".to_owned())]);
        for (expression, value) in [
            ("i+1", 42),
            (" 2 + 3 * 4 ", 14),
            ("(2+3)*4 % 7", 6),
            ("10 - 3 - 2", 5),
            ("-i + +1", -40),
            ("7 / 2", 3),
            ("x + nothing", 0),
            ("", 0),
            ("1 < 2 && 3 != 3", 0),
            ("1 << 4 | 0x0f", 31),
            ("010 & 12", 8),
            ("!0 + ~0", 0),
            ("5 >= 5 == 1", 1),
        ] {
            assert_eq!(evaluate(expression, &mut variables), Ok(value), "{expression}");
        }
        assert_eq!(evaluate("i = (j = 2) + 1", &mut variables), Ok(3));
        assert_eq!(evaluate("j += i", &mut variables), Ok(5));
        assert_eq!(variables.get("j").map(String::as_str), Some("5"));
        assert_eq!(evaluate("1 / 0", &mut variables), Err("divide by zero".to_owned()));
        for wrong in ["1 +", "(1", "1 2", "a b", "08", "1..2", "*"] {
            assert_eq!(evaluate(wrong, &mut variables), Err(syntax()), "{wrong}");
        }
        assert!(evaluate(&"(".repeat(100_000), &mut variables).is_err());
        assert!(evaluate(&"-".repeat(100_000), &mut variables).is_err());
        assert!(evaluate(&"a=".repeat(100_000), &mut variables).is_err());
    }
}
