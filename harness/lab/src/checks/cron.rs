//! The predicate about a refreshing CronJob, and as much of cron's notation as it needs.

use pulldrill_clock::SignedDuration;

use super::{Facts, Finding};

/// A CronJob that is not suspended runs at least this often.
pub(crate) fn refresher(facts: &Facts<'_>, within: SignedDuration) -> Finding {
    let jobs = facts.snapshot.list("cronjobs.batch");
    let active = jobs.iter().map(|job| job.value()).filter(|job| job["spec"]["suspend"] != true);
    let mut gaps = active.filter_map(|job| longest_gap(job["spec"]["schedule"].as_str()?));
    match gaps.find(|gap| *gap <= within) {
        Some(gap) => Ok(format!("a CronJob runs every {} minutes or more often", gap.as_mins())),
        None => Err("no CronJob runs often enough".into()),
    }
}

const MINUTES_A_DAY: i64 = 24 * 60;

/// The longest time between two runs of a schedule; `None` for a schedule that is no schedule.
#[must_use]
pub(crate) fn longest_gap(schedule: &str) -> Option<SignedDuration> {
    let schedule = match schedule.trim() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        other => other,
    };
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    let (minutes, hours) = (numbers(minute, 0, 59)?, numbers(hour, 0, 23)?);
    let (days, months, weekdays) = (numbers(day, 1, 31)?, numbers(month, 1, 12)?, numbers(weekday, 0, 7)?);
    let times: Vec<i64> = hours.iter().flat_map(|h| minutes.iter().map(move |m| h * 60 + m)).collect();
    let (first, last) = (times.first()?, times.last()?);
    let within_a_day = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let (any_day, any_weekday) = (day.starts_with('*'), weekday.starts_with('*'));
    let runs_on = |day: i64, month: i64, weekday: i64| {
        let by_day = days.contains(&day);
        let by_weekday = weekdays.contains(&weekday) || (weekday == 0 && weekdays.contains(&7));
        let on_day = if any_day || any_weekday { by_day && by_weekday } else { by_day || by_weekday };
        months.contains(&month) && on_day
    };
    let days_between = longest_run_of_days(runs_on)?;
    let overnight = days_between * MINUTES_A_DAY - last + first;
    Some(SignedDuration::from_mins(within_a_day.max(overnight)))
}

/// The most days from one day with a run to the next, over the four years in which dates and leap days
/// repeat (weekdays shift, which makes a run of days at most a week longer than seen).
fn longest_run_of_days(runs_on: impl Fn(i64, i64, i64) -> bool) -> Option<i64> {
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut day_number, mut previous, mut longest) = (0i64, None::<i64>, None::<i64>);
    for year in 0..8 {
        for (month, length) in (1..).zip(lengths) {
            let leap = i64::from(month == 2 && year % 4 == 0);
            for day in 1..=length + leap {
                if runs_on(day, month, day_number % 7) {
                    if let Some(previous) = previous {
                        longest = longest.max(Some(day_number - previous));
                    }
                    previous = Some(day_number);
                }
                day_number += 1;
            }
        }
    }
    longest
}

/// The numbers that a field stands for, in order: lists of `*`, `n`, `a-b`, each with an optional `/step`.
fn numbers(field: &str, low: i64, high: i64) -> Option<Vec<i64>> {
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<i64>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None if part.contains('/') => (range.parse().ok()?, high),
            None => (range.parse().ok()?, range.parse().ok()?),
        };
        if from < low || to > high || from > to {
            return None;
        }
        all.extend((from..=to).filter(|n| (n - from) % step == 0));
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_the_longest_time_between_two_runs() {
        let hours = |schedule: &str| longest_gap(schedule).map(|gap| gap.as_hours());
        for (schedule, expected) in [
            ("0 */6 * * *", Some(6)),
            ("0 */7 * * *", Some(7)),
            ("0 8,20 * * *", Some(12)),
            ("@hourly", Some(1)),
            ("0 0 * * 1-5", Some(72)),
            ("30 */6 * * 1", Some(24 * 6 + 6)),
            ("0 0 1 * *", Some(24 * 31)),
            ("*/0 * * * *", None),
            ("0 25 * * *", None),
            ("whenever", None),
        ] {
            assert_eq!(hours(schedule), expected, "{schedule}");
        }
    }
}
