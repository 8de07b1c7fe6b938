//! CronJobs: schedule, time zone and the rest. The grammar of schedules is in `pulldrill_clock::cron`.

use pulldrill_clock::cron::{self, Grammar, Schedule};
use serde_json::Value;

use super::{job, workload::not_negative};
use crate::{
    api::{
        invalid::{Errors, FieldError},
        json::text,
    },
    release::Release,
};

const SCHEDULE: &str = "spec.schedule";

/// Complaints about a CronJob, which may have been another before.
pub(super) fn cron_job(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    schedule(spec, old, errors);
    not_negative(&"spec.startingDeadlineSeconds", &spec["startingDeadlineSeconds"], errors);
    if old.is_none_or(|old| old["spec"]["timeZone"] != spec["timeZone"]) {
        time_zone(&spec["timeZone"], errors);
    }
    let policies = ["Allow", "Forbid", "Replace"];
    if !policies.contains(&text(&spec["concurrencyPolicy"])) {
        errors.unsupported("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &policies);
    }
    job::template(&"spec.jobTemplate", &spec["jobTemplate"], errors);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        not_negative(&format_args!("spec.{field}"), &spec[field], errors);
    }
}

fn schedule(spec: &Value, old: Option<&Value>, errors: &mut Errors) {
    let schedule = &spec["schedule"];
    if text(schedule).is_empty() {
        return errors.required(SCHEDULE, "");
    }
    if let Err(why) = Schedule::parse(text(schedule), Grammar::V3) {
        errors.invalid(SCHEDULE, schedule, &why);
    }
    let zoned = |schedule: &Value| text(schedule).contains("TZ");
    match old.is_some_and(|old| zoned(&old["spec"]["schedule"])) {
        false if zoned(schedule) => {
            let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            errors.invalid(SCHEDULE, schedule, why);
        }
        true if zoned(schedule) && !spec["timeZone"].is_null() => {
            let why = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
            errors.invalid(SCHEDULE, schedule, why);
        }
        _ => {}
    }
}

fn time_zone(zone: &Value, errors: &mut Errors) {
    const FIELD: &str = "spec.timeZone";
    let Some(name) = zone.as_str() else { return };
    if name.is_empty() {
        return errors.invalid(FIELD, zone, "timeZone must be nil or non-empty string");
    }
    let fits = |part: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+');
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(letter)
            && (1..=14).contains(&part.len())
    };
    if !name.split('/').all(fits) {
        return errors.invalid(FIELD, zone, &format!("unknown time zone {name}"));
    }
    if name.eq_ignore_ascii_case("Local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(FIELD, zone, why);
    }
    if let Err(why) = cron::zone(name) {
        errors.invalid(FIELD, zone, &why);
    }
}

/// Since this minor version schedules are read by the newer version of the library.
const GRAMMAR_V3: u32 = 22;

/// Puts complaints about the schedule into the words of the library that older releases read it with. What one version
/// refuses, the other does as well.
pub(in crate::api) fn put(errors: &mut Vec<FieldError>, object: &Value, release: Release) {
    if release.since(GRAMMAR_V3) {
        return;
    }
    let schedule = &object["spec"]["schedule"];
    let Err(why) = Schedule::parse(text(schedule), Grammar::V1) else { return };
    let mut told = false;
    errors.retain_mut(|error| {
        if error.field != SCHEDULE || error.reason != "FieldValueInvalid" {
            return true;
        }
        error.message = format!("Invalid value: {schedule}: {why}");
        !std::mem::replace(&mut told, true)
    });
}
