//! The syntax of quantities: `500m`, `1.5Gi`, `1e3`. Only whether a text is one; arithmetic is the scheduler's.

/// What the API answers for a text that is no quantity.
pub(super) const ERROR: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const SUFFIXES: &[&str] =
    &["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Whether the text is a quantity.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let numeric = digits > 0 && number.len() - digits <= 1;
    numeric && (SUFFIXES.contains(&suffix) || is_exponent(suffix))
}

fn is_exponent(suffix: &str) -> bool {
    let Some(exponent) = suffix.strip_prefix(['e', 'E']) else { return false };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_told_from_other_texts() {
        for good in ["0", "1", "-1", "+2", "500m", "1.5Gi", ".5", "1.", "1e3", "1E-6", "12E", "100Ki", "3u"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "-", ".", "1.2.3", "1 Gi", "lots", "1gi", "1e", "1ee3", "1mm", "0x10", "1e3Gi"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
