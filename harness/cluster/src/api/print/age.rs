//! Ages, as clients print them: two parts at most, and none that is zero.

use pulldrill_clock::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A duration in its short form.
pub(super) fn short(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    if age < SignedDuration::from_secs(-1) {
        return "<invalid>".into();
    }
    let parts = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        let first = format!("{}{big_unit}", seconds / big);
        match seconds % big / small {
            0 => first,
            rest => format!("{first}{rest}{small_unit}"),
        }
    };
    match seconds {
        i64::MIN..0 => "0s".into(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => parts(MINUTE, "m", 1, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => parts(HOUR, "h", MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => parts(DAY, "d", HOUR, "h"),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => parts(YEAR, "y", DAY, "d"),
        s => format!("{}y", s / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_at_most_two_parts() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR + 61, "3h1m"),
            (13 * HOUR, "13h"),
            (49 * HOUR, "2d1h"),
            (10 * DAY, "10d"),
            (3 * YEAR + DAY, "3y1d"),
            (9 * YEAR, "9y"),
        ] {
            assert_eq!(short(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
