//! How workloads roll out: strategies, and the numbers and percentages in them.
//!
//! The rules are those of `ValidateDeploymentStrategy`, `ValidateDaemonSetUpdateStrategy` and `ValidateStatefulSetSpec` in
//! Kubernetes' apps validation.

use std::fmt;

use serde_json::Value;

use super::{shown, workload::not_negative};
use crate::api::{
    invalid::{Errors, FieldPath, own_type},
    json::text,
};

pub(super) const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
    '93%', regex used for validation is '[0-9]+%')";

/// Since this minor version a DaemonSet can have more pods while it rolls.
const DAEMONS_SURGE: u32 = 24;

/// Complaints about the strategy of a Deployment.
pub(super) fn of_deployment(strategy: &Value, errors: &mut Errors) {
    let (field, rolling) = ("spec.strategy.rollingUpdate", &strategy["rollingUpdate"]);
    match text(&strategy["type"]) {
        "Recreate" if !rolling.is_null() => {
            errors.forbidden(field, "may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let [down, up] =
                ["maxUnavailable", "maxSurge"].map(|name| (format!("{field}.{name}"), &rolling[name]));
            for (field, value) in [&down, &up] {
                number_or_percent(field, value, errors);
            }
            if amount(down.1) == 0 && amount(up.1) == 0 {
                errors.invalid(&down.0, down.1, "may not be 0 when `maxSurge` is 0");
            }
            not_above_all(&down.0, down.1, errors);
        }
        _ => {
            let shown = strategy_shown(strategy, "DeploymentStrategy", "RollingUpdateDeployment", errors);
            let kinds = ["Recreate", "RollingUpdate"];
            errors.unsupported_shown("spec.strategy", &shown, &kinds);
        }
    }
}

/// Complaints about the strategy of a DaemonSet.
pub(super) fn of_daemon_set(strategy: &Value, errors: &mut Errors) {
    let field = "spec.updateStrategy.rollingUpdate";
    match text(&strategy["type"]) {
        "OnDelete" => {}
        "RollingUpdate" if strategy["rollingUpdate"].is_null() => errors.required(field, ""),
        "RollingUpdate" => daemons(&field, &strategy["rollingUpdate"], errors),
        _ => {
            let shown = strategy_shown(strategy, "DaemonSetUpdateStrategy", "RollingUpdateDaemonSet", errors);
            errors.unsupported_shown("spec.updateStrategy", &shown, &["RollingUpdate", "OnDelete"]);
        }
    }
}

fn daemons(path: FieldPath<'_>, rolling: &Value, errors: &mut Errors) {
    let [down, up] = ["maxUnavailable", "maxSurge"].map(|name| (format!("{path}.{name}"), &rolling[name]));
    for check in [number_or_percent, not_above_all] {
        for (field, value) in [&down, &up] {
            check(field, value, errors);
        }
    }
    match (amount(down.1), amount(up.1)) {
        (0, 0) if errors.release().since(DAEMONS_SURGE) => {
            errors.required(&down.0, "cannot be 0 when maxSurge is 0");
        }
        (0, 0) => errors.invalid(&down.0, down.1, "cannot be 0"),
        (0, _) | (_, 0) => {}
        _ => errors.invalid(&up.0, up.1, "may not be set when maxUnavailable is non-zero"),
    }
}

/// Complaints about the strategy of a StatefulSet.
pub(super) fn of_stateful_set(strategy: &Value, errors: &mut Errors) {
    let (field, rolling) = ("spec.updateStrategy.rollingUpdate", &strategy["rollingUpdate"]);
    match text(&strategy["type"]) {
        "RollingUpdate" => {
            not_negative(&format_args!("{field}.partition"), &rolling["partition"], errors);
            let (field, most) = (format_args!("{field}.maxUnavailable"), &rolling["maxUnavailable"]);
            if !most.is_null() {
                number_or_percent(&field, most, errors);
                if amount(most) == 0 {
                    errors.invalid(field, most, "cannot be 0");
                }
                not_above_all(&field, most, errors);
            }
        }
        "OnDelete" if rolling.is_null() => {}
        "OnDelete" => {
            let partition = rolling["partition"].as_i64().unwrap_or(0);
            let shown = own_type([
                ("Partition", &partition as &dyn fmt::Display),
                ("MaxUnavailable", &rolling["maxUnavailable"]),
            ]);
            errors.invalid_shown(field, &shown, "only allowed for updateStrategy 'RollingUpdate'");
        }
        _ => {
            let shown = strategy_shown(
                strategy,
                "StatefulSetUpdateStrategy",
                "RollingUpdateStatefulSetStrategy",
                errors,
            );
            errors.invalid_shown("spec.updateStrategy", &shown, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

/// A strategy as it stands in a complaint about it.
fn strategy_shown(strategy: &Value, own: &str, rolling: &str, errors: &Errors) -> String {
    let (kind, parts) = (Value::from(text(&strategy["type"])), &strategy["rollingUpdate"]);
    if !shown::as_json(errors) && parts.is_null() {
        return format!("apps.{own}{{Type:{kind}, RollingUpdate:(*apps.{rolling})(nil)}}");
    }
    let zero = Value::from(0);
    let part = |name: &str| parts.get(name).unwrap_or(&zero);
    let parts = match rolling {
        _ if parts.is_null() => "null".to_owned(),
        "RollingUpdateStatefulSetStrategy" => own_type([
            ("Partition", part("partition") as &dyn fmt::Display),
            ("MaxUnavailable", &parts["maxUnavailable"]),
        ]),
        _ => own_type([
            ("MaxUnavailable", part("maxUnavailable") as &dyn fmt::Display),
            ("MaxSurge", part("maxSurge")),
        ]),
    };
    own_type([("Type", &kind as &dyn fmt::Display), ("RollingUpdate", &parts)])
}

/// `ValidatePositiveIntOrPercent`.
fn number_or_percent(field: &dyn fmt::Display, value: &Value, errors: &mut Errors) {
    not_negative(field, value, errors);
    if value.as_str().is_some_and(|text| percent(text).is_none()) {
        errors.invalid(field, value, PERCENT);
    }
}

/// `IsNotMoreThan100Percent`.
fn not_above_all(field: &dyn fmt::Display, value: &Value, errors: &mut Errors) {
    if value.as_str().and_then(percent).is_some_and(|percent| percent > 100) {
        errors.invalid(field, value, "must not be greater than 100%");
    }
}

fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(i64::MAX)) }
}

/// The number in a field, be it one of percent; none is nothing.
fn amount(value: &Value) -> i64 {
    let text = value.as_str();
    value.as_i64().or_else(|| text.and_then(percent)).or_else(|| text?.parse().ok()).unwrap_or(0)
}
