//! Commands that are tools of the trade: node egress, image copy, ECR password, clock.

use std::path::Path;

use pulldrill_lab::{
    request::{CopyRequest, EgressRequest},
    view::{ClockView, CopyView, EgressView},
};
use pulldrill_web::duration::age;
use serde_json::{Value, json};

use super::Ground;
use crate::{
    args::{ClockAction, Ecr, Egress, Image},
    client::{Client, segment},
    exit::{Exit, Failure, Outcome},
    folder::Folder,
    output::table,
};

pub(super) async fn egress(ground: &Ground<'_>, egress: &Egress) -> Outcome {
    let lab = ground.lab()?;
    match egress {
        Egress::List { node } => {
            let rules = rules(&lab, node.as_deref()).await?;
            ground.out.data(&rules, |rules| show_rules(rules));
        }
        Egress::Allow { destination, node, port, comment } => {
            let request = EgressRequest {
                node: node.clone(),
                destination: destination.clone(),
                port: *port,
                comment: comment.clone(),
            };
            let rules: Vec<EgressView> = lab.post("egress", &request).await?;
            ground.out.data(&rules, |rules| show_rules(rules));
        }
        Egress::Delete { rule, node } => {
            let rules = rules(&lab, node.as_deref()).await?;
            let found: Vec<_> = rules.iter().filter(|known| known.id == *rule).collect();
            if found.is_empty() {
                return Err(Failure::usage(format!("there is no egress rule {rule:?}"))
                    .help("`pulldrill node egress list` shows the rules and their ids"));
            }
            let mut deleted = Vec::new();
            for known in found {
                let path = format!("egress/{}/{}", segment(&known.node), segment(&known.id));
                deleted.push(lab.delete::<Value>(&path).await?);
            }
            ground
                .out
                .data(&deleted, |deleted| format!("rule {rule} removed from {} node(s)", deleted.len()));
        }
    }
    Ok(Exit::Yes)
}

async fn rules(lab: &Client, node: Option<&str>) -> Result<Vec<EgressView>, Failure> {
    let query = node.map_or_else(String::new, |node| format!("?node={}", segment(node)));
    lab.get(&format!("egress{query}")).await
}

fn show_rules(rules: &[EgressView]) -> String {
    let rows = rules.iter().map(|rule| {
        vec![
            rule.node.clone(),
            rule.id.clone(),
            rule.action.clone(),
            rule.destination.clone(),
            rule.port.map_or_else(|| "any".into(), |port| port.to_string()),
            rule.comment.clone(),
        ]
    });
    let head = ["node", "id", "action", "destination", "port", "comment"];
    if rules.is_empty() { "no rules: everything may leave the nodes".into() } else { table(&head, rows) }
}

pub(super) async fn registry_image(ground: &Ground<'_>, name: &str, binary: Option<&Path>) -> Outcome {
    pulldrill_lab::registry_image(name, binary).await?;
    ground.out.data(&json!({"image": name}), |_| format!("{name} is in this machine's Docker engine"));
    Ok(Exit::Yes)
}

pub(super) async fn image(ground: &Ground<'_>, image: &Image) -> Outcome {
    let Image::Copy { source, destination, username, password } = image;
    let request = CopyRequest {
        source: source.clone(),
        destination: destination.clone(),
        username: username.clone(),
        password: password.clone(),
    };
    let copy: CopyView = ground.lab()?.post("image-copy", &request).await?;
    ground.out.data(&copy, |copy| format!("{} -> {}\n{}", copy.source, copy.destination, copy.digest));
    Ok(Exit::Yes)
}

pub(super) async fn ecr(ground: &Ground<'_>, ecr: &Ecr) -> Outcome {
    let Ecr::GetLoginPassword { host, region } = ecr;
    let host = match region {
        Some(region) => Some(host_of(&ground.folder, region)?),
        None => host.clone(),
    };
    let login: Value = ground.lab()?.post("ecr/login-password", &json!({"host": host})).await?;
    ground.out.data(&login, |login| login["password"].as_str().unwrap_or_default().to_owned());
    Ok(Exit::Yes)
}

/// The ECR-like registry of a region, told by its name.
fn host_of(folder: &Folder, region: &str) -> Result<String, Failure> {
    let hosts: Vec<_> = folder.info()?.map(|info| info.registries.into_keys().collect()).unwrap_or_default();
    let part = format!(".ecr.{region}.");
    hosts.into_iter().find(|host: &String| host.contains(&part)).ok_or_else(|| {
        Failure::usage(format!("the lab has no ECR registry in the region {region:?}"))
            .help("`$PULLDRILL_DIR/lab.json` lists the registries")
    })
}

pub(super) async fn clock(ground: &Ground<'_>, action: Option<&ClockAction>) -> Outcome {
    let clock: ClockView = match action {
        None => ground.lab()?.get("clock").await?,
        Some(ClockAction::Advance { by }) => {
            ground.instructors_lab()?.post("clock/advance", &json!({"seconds": by.as_secs()})).await?
        }
    };
    ground.out.data(&clock, |clock| {
        format!(
            "{}, advanced by {} in all",
            clock.shown.strftime("%Y-%m-%d %H:%M:%S UTC"),
            age(clock.advanced_seconds)
        )
    });
    Ok(Exit::Yes)
}
