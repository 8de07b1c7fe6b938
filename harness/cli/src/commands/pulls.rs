//! `registry log`: what the registries saw, at once or as it comes.

use pulldrill_lab::view::PullView;

use super::{Ground, reach::Reach};
use crate::{
    args::RegistryLog,
    exit::{Exit, Failure, Outcome},
    folder::Owner,
    output::{Tone, paint, table},
};

pub(super) async fn log(ground: &Ground<'_>, wanted: &RegistryLog) -> Outcome {
    let reach = Reach::of(ground, false).await?;
    let (mut views, mut since) = reach.pulls(wanted, wanted.since, false).await?;
    if let Some(limit) = wanted.limit {
        views.drain(..views.len().saturating_sub(limit));
    }
    if !wanted.follow && !wanted.json {
        ground.out.data(&views, |views| show(views));
        return Ok(Exit::Yes);
    }
    let as_json = wanted.json || ground.out.is_json();
    loop {
        for view in &views {
            if !ground.out.streamed(&if as_json { json(view) } else { line(view) }) {
                // Nobody reads any more.
                return Ok(Exit::Yes);
            }
        }
        if !wanted.follow {
            return Ok(Exit::Yes);
        }
        (views, since) = match reach.pulls(wanted, since, true).await {
            Ok(more) => more,
            Err(error) => return ended(ground, error),
        };
    }
}

/// Whoever is followed may end, which is no failure.
fn ended(ground: &Ground<'_>, error: Failure) -> Outcome {
    if error.exit == Exit::Infrastructure && ground.folder.owner() == Owner::Nobody {
        ground.out.remark("the registries have ended");
        return Ok(Exit::Yes);
    }
    Err(error)
}

fn json(view: &PullView) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

fn from(view: &PullView) -> String {
    view.node.clone().unwrap_or_else(|| view.address.to_string())
}

/// One request on a line, its columns in their places as long as nothing is unusually long.
fn line(view: &PullView) -> String {
    let tone = match view.status {
        ..=399 => Tone::Good,
        401 => Tone::Wait,
        _ => Tone::Bad,
    };
    let identity = view.identity.as_deref().unwrap_or("-");
    format!(
        "{:>5}  {}  {:<15} {:<12} {} {:<6} {}{}  {} bytes  {}",
        view.seq,
        view.at.strftime("%H:%M:%S"),
        from(view),
        identity,
        paint(tone, view.status),
        view.method,
        view.host,
        view.path,
        view.bytes,
        paint(Tone::Dim, view.user_agent.as_deref().unwrap_or_default()),
    )
}

fn show(log: &[PullView]) -> String {
    let rows = log.iter().map(|entry| {
        vec![
            entry.seq.to_string(),
            entry.at.strftime("%H:%M:%S").to_string(),
            from(entry),
            entry.identity.clone().unwrap_or_else(|| "-".into()),
            entry.host.clone(),
            entry.method.clone(),
            entry.path.clone(),
            entry.status.to_string(),
            entry.bytes.to_string(),
        ]
    });
    let head = ["seq", "time", "from", "as", "registry", "method", "path", "status", "bytes"];
    if log.is_empty() { "no such requests".into() } else { table(&head, rows) }
}
