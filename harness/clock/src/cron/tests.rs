//! Times named, and nonsense refused, by both versions of the library.

use super::*;

fn parse(schedule: &str) -> Schedule {
    Schedule::parse(schedule, Grammar::V3).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn next(schedule: &Schedule, after: &str) -> String {
    schedule.next(at(after), &TimeZone::UTC).map(|at| at.to_string()).unwrap_or_default()
}

#[test]
fn schedules_name_the_usual_times() {
    let after = "2026-11-22T20:10:30Z"; // a Sunday
    let cases = [
        ("* * * * *", "2026-11-22T20:11:00Z"),
        ("*/15 * * * *", "2026-11-22T20:15:00Z"),
        ("*-3/15 * * * *", "2026-11-22T20:15:00Z"),
        ("5/20 * * * *", "2026-11-22T20:25:00Z"),
        ("0 */8 * * *", "2026-11-23T00:00:00Z"),
        ("30 9-17 * * mon-fri", "2026-11-23T09:30:00Z"),
        ("+30 9-17/2 ? Nov MON", "2026-11-23T09:30:00Z"),
        ("0 0 1 * *", "2026-12-01T00:00:00Z"),
        ("0 0 13 * FRI", "2026-11-27T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 30 2 *", ""),
        (", * * * *", ""),
        ("@hourly", "2026-11-22T21:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        ("@every 1h30m", "2026-11-22T21:40:30Z"),
        ("@every 1.5s", "2026-11-22T20:10:31Z"),
        ("@every -5m", "2026-11-22T20:10:31Z"),
        ("@every 2000000h", "2255-01-20T04:10:30Z"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2026-11-23T00:00:00Z"),
        ("CRON_TZ=UTC  @daily", "2026-11-23T00:00:00Z"),
        ("10,,11, 20 22 11 *", "2026-11-22T20:11:00Z"),
    ];
    for (schedule, expected) in cases {
        assert_eq!(next(&parse(schedule), after), expected, "{schedule}");
    }
}

#[test]
fn a_step_opens_the_days_in_the_old_grammar_only() {
    let schedule = "0 0 */2 * mon";
    let old = Schedule::parse(schedule, Grammar::V1).unwrap();
    let new = Schedule::parse(schedule, Grammar::V3).unwrap();
    let after = "2026-11-22T20:10:30Z";
    // The 23rd is a Monday and odd; so is the 7th of December.
    assert_eq!([next(&old, after), next(&new, after)], ["2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z"]);
    let after = "2026-11-23T00:00:00Z";
    assert_eq!([next(&old, after), next(&new, after)], ["2026-12-07T00:00:00Z", "2026-11-25T00:00:00Z"]);
}

#[test]
fn what_has_come_is_counted_without_counting() {
    let from = at("2000-01-01T00:00:00.5Z");
    let now = at("2026-01-01T00:00:00Z");
    let due = parse("@every 1s").due(from, now, &TimeZone::UTC);
    assert_eq!(due, Due { latest: Some(now), count: 820_540_800, next: Some(at("2026-01-01T00:00:01Z")) });
    let due = parse("@every 7h").due(from, from, &TimeZone::UTC);
    assert_eq!(due, Due { latest: None, count: 0, next: Some(at("2000-01-01T07:00:00Z")) });
    let due = parse("@daily").due(at("2025-12-30T12:00:00Z"), now, &TimeZone::UTC);
    assert_eq!(due, Due { latest: Some(now), count: 2, next: Some(at("2026-01-02T00:00:00Z")) });
    let before = parse("@every 7h").due(now, from, &TimeZone::UTC);
    assert_eq!((before.latest, before.count), (None, 0));
}

#[test]
fn nonsense_is_refused_in_the_words_of_the_library() {
    let cases = [
        ("", "expected exactly 5 fields, found 0: []"),
        (" @hourly", "expected exactly 5 fields, found 1: [@hourly]"),
        ("*  * *\t* * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 5-3 * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("*/x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("-5 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"),
        ("* * * janu *", "failed to parse int from janu: strconv.Atoi: parsing \"janu\": invalid syntax"),
        (
            "99999999999999999999 * * * *",
            "failed to parse int from 99999999999999999999: strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ),
        ("@never", "unrecognized descriptor: @never"),
        ("@every", "unrecognized descriptor: @every"),
        ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
        ("@every 5", "failed to parse duration @every 5: time: missing unit in duration \"5\""),
        ("@every 1d", "failed to parse duration @every 1d: time: unknown unit \"d\" in duration \"1d\""),
        (
            "@every 1\u{e9}",
            "failed to parse duration @every 1\u{e9}: time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\"",
        ),
        (
            "@every 9999999999h",
            "failed to parse duration @every 9999999999h: time: invalid duration \"9999999999h\"",
        ),
        ("TZ=Mars/Base 0 * * * *", "provided bad location Mars/Base: unknown time zone Mars/Base"),
        ("TZ=../etc 0 * * * *", "provided bad location ../etc: time: invalid location name"),
        ("TZ=UTC", "expected exactly 5 fields, found 0: []"),
    ];
    for (schedule, words) in cases {
        assert_eq!(Schedule::parse(schedule, Grammar::V3).unwrap_err(), words, "{schedule}");
    }
    for (schedule, words) in [
        ("*  * *", "Expected exactly 5 fields, found 3: *  * *"),
        ("60 * * * *", "End of range (60) above maximum (59): 60"),
        ("TZ=UTC 1 2 3 4 5", "Expected exactly 5 fields, found 6: TZ=UTC 1 2 3 4 5"),
        ("@every x", "Failed to parse duration @every x: time: invalid duration \"x\""),
    ] {
        assert_eq!(Schedule::parse(schedule, Grammar::V1).unwrap_err(), words, "{schedule}");
    }
}

#[test]
fn zones_are_named_as_in_the_database() {
    assert!(zone("Europe/Paris").is_ok() && zone("UTC").is_ok() && zone("US/Eastern").is_ok());
    for bad in ["europe/paris", "EST5EDT4", "x", "utc"] {
        assert_eq!(zone(bad).unwrap_err(), format!("unknown time zone {bad}"));
    }
}
