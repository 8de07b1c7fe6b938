//! The five fields of a cron schedule, and the times that they name.

use jiff::{
    Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::TimeZone,
};

/// Short forms.
const SHORT: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// How far ahead a time is looked for; a schedule such as 30 February names none.
const HORIZON_YEARS: i16 = 5;

/// A parsed schedule: for each field the numbers that it allows, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// When both days of the month and of the week are restricted, either will do.
    either_day: bool,
}

impl Schedule {
    /// Parses five fields or a short form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = SHORT.iter().find(|(short, _)| *short == text).map_or(text, |(_, long)| *long);
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("expected exactly 5 fields, found {}: [{text}]", fields.len()));
        };
        Ok(Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            weekdays: field(weekdays, 0, 6, &DAYS)?,
            either_day: !days.starts_with(['*', '?']) && !weekdays.starts_with(['*', '?']),
        })
    }

    /// The first time after `after`.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut at = zone
            .to_datetime(after)
            .checked_add(1.minute())
            .ok()?
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .ok()?;
        let last_year = at.year().saturating_add(HORIZON_YEARS);
        while at.year() <= last_year {
            at = if !has(self.months, at.month()) {
                at.first_of_month().checked_add(1.month()).ok()?.with().time(Time::midnight()).build().ok()?
            } else if !self.allows_day(at) {
                at.checked_add(1.day()).ok()?.with().time(Time::midnight()).build().ok()?
            } else if !has(self.hours, at.hour()) {
                at.checked_add(1.hour()).ok()?.with().minute(0).build().ok()?
            } else if !has(self.minutes, at.minute()) {
                at.checked_add(1.minute()).ok()?
            } else {
                let found = zone.to_timestamp(at).ok()?;
                // An hour that a clock change repeats or skips may lie before.
                if found > after {
                    return Some(found);
                }
                at.checked_add(1.minute()).ok()?
            };
        }
        None
    }

    fn allows_day(&self, at: DateTime) -> bool {
        let month_day = has(self.days, at.day());
        let week_day = has(self.weekdays, at.weekday().to_sunday_zero_offset());
        if self.either_day { month_day || week_day } else { month_day && week_day }
    }
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|n| bits >> n & 1 == 1)
}

/// A list of numbers, names, ranges and steps.
fn field(text: &str, low: u32, high: u32, names: &[&str]) -> Result<u64, String> {
    let number = |part: &str| -> Result<u32, String> {
        let named = names.iter().position(|name| part.eq_ignore_ascii_case(name));
        let named = named.and_then(|index| u32::try_from(index).ok()).map(|index| index + low);
        named.map_or_else(|| part.parse().map_err(|_| format!("failed to parse int from {part}")), Ok)
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            // A start with a step goes on to the end.
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if from < low || to > high || from > to || step == Some(0) {
            return Err(format!("{part}: not within {low} to {high}"));
        }
        for n in (from..=to).step_by(usize::try_from(step.unwrap_or(1)).unwrap_or(1)) {
            bits |= 1 << n;
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        schedule.next(after.parse().unwrap(), &TimeZone::UTC).map(|at| at.to_string()).unwrap_or_default()
    }

    #[test]
    fn schedules_name_the_usual_times() {
        let after = "2026-11-22T20:10:30Z"; // a Sunday
        let cases = [
            ("* * * * *", "2026-11-22T20:11:00Z"),
            ("*/15 * * * *", "2026-11-22T20:15:00Z"),
            ("5/20 * * * *", "2026-11-22T20:25:00Z"),
            ("0 */8 * * *", "2026-11-23T00:00:00Z"),
            ("30 9-17 * * mon-fri", "2026-11-23T09:30:00Z"),
            ("0 0 1 * *", "2026-12-01T00:00:00Z"),
            ("0 0 13 * FRI", "2026-11-27T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 30 2 *", ""),
            ("@hourly", "2026-11-22T21:00:00Z"),
            ("10,11 20 22 11 *", "2026-11-22T20:11:00Z"),
        ];
        for (schedule, expected) in cases {
            assert_eq!(next(schedule, after), expected, "{schedule}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in
            ["", "* * * *", "60 * * * *", "* 5-3 * * *", "*/0 * * * *", "a * * * *", "* * 0 * *", "@never"]
        {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }
}
