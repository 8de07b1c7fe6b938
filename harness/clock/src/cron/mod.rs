//! Schedules: five fields, short forms or an interval, and the times that they name.
//!
//! Grammar and complaints are those of the library that Kubernetes and Harbor read them with (robfig/cron, its standard
//! parser). Which time zones an API takes is not decided here, nor when anything is done.

mod duration;
mod field;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::TimeZone,
};

pub use duration::parse as parse_duration;
use field::{Bounds, Numbers};

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
const EVERY: &str = "@every ";
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// How far ahead a time is looked for; a schedule such as 30 February names none.
const HORIZON_YEARS: i16 = 5;

/// Which version of the library reads a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// Knows no time zones, takes `*/2` for "any", and begins complaints with a capital letter.
    V1,
    /// What is in use today.
    V3,
}

impl Grammar {
    /// A complaint in its words.
    fn say(self, complaint: String) -> String {
        let mut letters = complaint.chars();
        match (self, letters.next()) {
            (Self::V1, Some(first)) => first.to_ascii_uppercase().to_string() + letters.as_str(),
            _ => complaint,
        }
    }
}

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// At certain times of the clock.
    Times(Box<Times>),
    /// In whole seconds since the last one.
    Every(SignedDuration),
}

/// The numbers that each field allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    minutes: Numbers,
    hours: Numbers,
    days: Numbers,
    months: Numbers,
    weekdays: Numbers,
    /// The zone that the schedule itself names.
    zone: Option<TimeZone>,
}

/// What has come since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The latest time that has come.
    pub latest: Option<Timestamp>,
    /// How many have.
    pub count: u64,
    /// The first that has not.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the library.
    pub fn parse(text: &str, grammar: Grammar) -> Result<Self, String> {
        read(text, grammar).map_err(|complaint| grammar.say(complaint))
    }

    /// The first time after `after`, if there is one in the next years; fields are of a clock in `zone`, if the schedule names no other.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(delay) => whole(after)?.checked_add(*delay).ok(),
            Self::Times(times) => times.next(after, zone),
        }
    }

    /// What has come after `from` until `now`.
    #[must_use]
    pub fn due(&self, from: Timestamp, now: Timestamp, zone: &TimeZone) -> Due {
        match self {
            // There may be a great many.
            Self::Every(delay) => every(from, now, *delay).unwrap_or_default(),
            Self::Times(_) => {
                let mut due = Due { next: self.next(from, zone), ..Due::default() };
                while let Some(at) = due.next.filter(|at| *at <= now) {
                    due = Due { latest: Some(at), count: due.count + 1, next: self.next(at, zone) };
                }
                due
            }
        }
    }
}

fn every(from: Timestamp, now: Timestamp, delay: SignedDuration) -> Option<Due> {
    let from = whole(from)?;
    let step = delay.as_secs().max(1);
    let count = (now.duration_since(from).as_secs() / step).max(0);
    let at = |n: i64| from.checked_add(SignedDuration::from_secs(step.checked_mul(n)?)).ok();
    Some(Due {
        latest: if count > 0 { at(count) } else { None },
        count: count.unsigned_abs(),
        next: at(count + 1),
    })
}

/// Without parts of a second.
fn whole(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second()).ok()
}

/// The zone of a name, which has to be written as in the database, upper and lower case too.
///
/// # Errors
/// What is wrong with the name, in the words of Go.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" | "Local" => return Ok(TimeZone::UTC),
        _ if name.contains("..") || name.starts_with(['/', '\\']) => {
            return Err("time: invalid location name".to_owned());
        }
        _ => {}
    }
    let found = TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    found.ok_or_else(|| format!("unknown time zone {name}"))
}

fn read(text: &str, grammar: Grammar) -> Result<Schedule, String> {
    let (mut text, mut own) = (text, None);
    let named = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
    if let Some(named) = named.filter(|_| grammar == Grammar::V3) {
        let (name, rest) = named.split_once(' ').unwrap_or((named, ""));
        own = Some(zone(name).map_err(|why| format!("provided bad location {name}: {why}"))?);
        text = rest.trim();
    }
    if let Some(interval) = text.strip_prefix(EVERY) {
        let delay =
            duration::parse(interval).map_err(|why| format!("failed to parse duration {text}: {why}"))?;
        return Ok(Schedule::Every(SignedDuration::from_secs(delay.as_secs().max(1))));
    }
    let fields = match SHORT.iter().find(|(short, _)| *short == text) {
        Some((_, long)) => long,
        None if text.starts_with('@') => return Err(format!("unrecognized descriptor: {text}")),
        None => text,
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
        let shown = match grammar {
            Grammar::V1 => text.to_owned(),
            Grammar::V3 => format!("[{}]", fields.join(" ")),
        };
        return Err(format!("expected exactly 5 fields, found {}: {shown}", fields.len()));
    };
    let field = |text: &str, low, high, names| Bounds { low, high, names }.read(text, grammar);
    Ok(Schedule::Times(Box::new(Times {
        minutes: field(minutes, 0, 59, &[])?,
        hours: field(hours, 0, 23, &[])?,
        days: field(days, 1, 31, &[])?,
        months: field(months, 1, 12, &MONTHS)?,
        weekdays: field(weekdays, 0, 6, &DAYS)?,
        zone: own,
    })))
}

impl Times {
    fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // Nobody need look through years of minutes for these.
        if [self.minutes, self.hours, self.months].iter().any(|numbers| numbers.none()) {
            return None;
        }
        let zone = self.zone.as_ref().unwrap_or(zone);
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
            at = if !self.months.has(at.month()) {
                at.first_of_month().checked_add(1.month()).ok()?.with().time(Time::midnight()).build().ok()?
            } else if !self.allows_day(at) {
                at.checked_add(1.day()).ok()?.with().time(Time::midnight()).build().ok()?
            } else if !self.hours.has(at.hour()) {
                at.checked_add(1.hour()).ok()?.with().minute(0).build().ok()?
            } else if !self.minutes.has(at.minute()) {
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

    /// When both days of the month and of the week are restricted, either will do.
    fn allows_day(&self, at: DateTime) -> bool {
        let month_day = self.days.has(at.day());
        let week_day = self.weekdays.has(at.weekday().to_sunday_zero_offset());
        if self.days.any() || self.weekdays.any() { month_day && week_day } else { month_day || week_day }
    }
}

#[cfg(test)]
mod tests;
