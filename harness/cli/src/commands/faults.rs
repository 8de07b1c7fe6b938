//! `registry fault`: letting registries misbehave, a lab's or those that are served alone.

use pulldrill_lab::{request::FaultRequest, view::FaultView};
use serde_json::Value;

use super::{Ground, reach::Reach};
use crate::{
    args::Fault,
    exit::{Exit, Outcome},
    output::table,
};

pub(super) async fn faults(ground: &Ground<'_>, fault: &Fault) -> Outcome {
    let reach = Reach::of(ground, true).await?;
    match fault {
        Fault::List { host } => {
            let faults = reach.faults(host.as_deref()).await?;
            ground.out.data(&faults, |faults| show(faults, "nothing is wrong with the registries"));
        }
        Fault::Add(add) => {
            let request = FaultRequest { host: add.host.clone(), rule: add.rule.clone() };
            let added = reach.add_fault(&request).await?;
            ground.out.data(&added, |added| show(added, "there is no registry that could misbehave"));
        }
        Fault::Clear { id, host, .. } => {
            let ended = reach.clear_faults(host.as_deref(), *id).await?;
            ground.out.data(&ended, |ended| match ended.len() {
                1 => "1 fault ended".to_owned(),
                n => format!("{n} faults ended"),
            });
        }
    }
    Ok(Exit::Yes)
}

fn show(faults: &[FaultView], none: &str) -> String {
    let rows = faults.iter().map(|fault| {
        let rule = serde_json::to_value(&fault.rule).unwrap_or_default();
        let until = fault.until.map(|until| format!("until {}", until.strftime("%H:%M:%S")));
        let when = [pairs(&rule["when"]), until.unwrap_or_default()].join(" ");
        vec![
            fault.id.to_string(),
            fault.host.clone(),
            fault.rule.fault.clone(),
            pairs(&rule["with"]),
            pairs(&rule["on"]),
            when.trim().to_owned(),
            fault.struck.to_string(),
        ]
    });
    if faults.is_empty() {
        return none.to_owned();
    }
    table(&["id", "registry", "fault", "with", "on", "when", "struck"], rows)
}

/// What is said in a part of a rule, on one line.
fn pairs(part: &Value) -> String {
    let said = part.as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    said.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use pulldrill_registry::{FaultRule, Scope};

    use super::*;

    #[test]
    fn a_fault_has_a_line_with_everything_that_was_said() {
        let on = Scope { tag: Some("1".into()), ..Scope::default() };
        let rule = FaultRule::new("status").with("status", &418).on(on);
        let view = FaultView { id: 7, host: "r.example".into(), rule, struck: 2, until: None };
        let text = show(&[view], "none");
        let line = text.lines().nth(1).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["7", "r.example", "status", "status=418", "tag=1", "2"]
        );
        assert_eq!(show(&[], "none"), "none");
    }
}
