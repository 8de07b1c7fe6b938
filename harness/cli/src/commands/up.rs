//! `up`: a lab in this process, until it is told to end.

use std::{io, net::SocketAddr, path::PathBuf};

use pulldrill_clock::real;
use pulldrill_lab::{Lab, LabError, LabOptions, Steps, view::LabInfo};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Ground, place, show::UNVERIFIED};
use crate::{
    args::{Backend, Up},
    exit::{Exit, Failure, Outcome},
    output::{Output, Tone, paint},
    parse::DEFAULT_LISTEN,
};

/// How long open answers may take to end after the lab has.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(3);

pub(super) async fn up(ground: &Ground<'_>, up: &Up) -> Outcome {
    if up.dry_run {
        let yaml =
            pulldrill_lab::plan(options(ground, up, DEFAULT_LISTEN, &CancellationToken::new())).await?;
        ground.out.raw(yaml.as_bytes());
        return Ok(Exit::Yes);
    }
    let watch = real::stopwatch();
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let listener = bind(up.listen).await?;
    let address = listener.local_addr().map_err(|error| unbound(DEFAULT_LISTEN, error))?;

    let started = tokio::select! {
        started = Lab::start(options(ground, up, address, &stop)) => Some(started),
        () = stop.cancelled() => None,
    };
    let lab = match started {
        Some(Ok(lab)) => lab,
        // Parts that are told to end while they start fail in one way or another.
        Some(Err(_)) | None if stop.is_cancelled() => return swept(ground).await,
        Some(Err(error)) => {
            stop.cancel();
            swept(ground).await?;
            return Err(error.into());
        }
        None => return swept(ground).await,
    };
    let site = tokio::spawn(pulldrill_web::serve(listener, lab.clone(), stop.clone()));
    ground
        .out
        .remark(&paint(Tone::Dim, format!("booted in {:.1?}; making the drills fail …", watch.elapsed())));

    let opened = tokio::select! {
        opened = lab.open() => opened,
        () = stop.cancelled() => Ok(()),
    };
    match opened {
        Err(error) if !stop.is_cancelled() => {
            stop.cancel();
            finish(ground.out, &lab, site).await;
            return Err(error.into());
        }
        _ if stop.is_cancelled() => {
            finish(ground.out, &lab, site).await;
            return cleared(ground);
        }
        _ => {}
    }
    ground.out.line(&summary(ground, up, &lab.info(), watch.elapsed()));
    stop.cancelled().await;
    finish(ground.out, &lab, site).await;
    cleared(ground)
}

/// Takes away what a lab made that did not come up: outside its folder, and in it.
async fn swept(ground: &Ground<'_>) -> Outcome {
    ground.out.remark(&paint(Tone::Dim, "removing what was made …"));
    pulldrill_lab::sweep(ground.folder.path()).await?;
    cleared(ground)
}

/// Takes away what the lab made in its folder: nothing of it is of use without the lab.
fn cleared(ground: &Ground<'_>) -> Outcome {
    ground.folder.clear()?;
    Ok(Exit::Yes)
}

/// Ends the lab, then the site, so that nothing is written after this returns.
async fn finish(out: &Output, lab: &Lab, site: JoinHandle<Result<(), pulldrill_web::WebError>>) {
    out.remark(&paint(Tone::Dim, "ending the lab …"));
    lab.shutdown().await;
    let _late_answers_are_cut_off = real::timeout(LAST_ANSWERS, site).await;
}

fn options(ground: &Ground<'_>, up: &Up, address: SocketAddr, stop: &CancellationToken) -> LabOptions {
    LabOptions {
        dir: Some(ground.common.dir.clone()),
        seed: up.seed,
        scenarios: up.scenarios.clone(),
        scenario_dir: up.scenario_dir.clone(),
        backend: place::backend(&up.place),
        nodes: place::nodes(&up.place),
        steps: steps(*ground.out),
        dialect: up.dialect.clone(),
        history: !up.no_history,
        web: Some(format!("http://{}", reachable(address))),
        program: std::env::current_exe().ok(),
        stop: stop.clone(),
        ..LabOptions::default()
    }
}

/// Says what is begun, and after how long.
pub(super) fn steps(out: Output) -> Steps {
    let watch = real::stopwatch();
    Steps::new(move |what| {
        let elapsed = format!("{:>5.1}s", watch.elapsed().as_secs_f32());
        out.remark(&format!("{} {what} …", paint(Tone::Dim, elapsed)));
    })
}

/// An address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::new(DEFAULT_LISTEN.ip(), address.port()) } else { address }
}

/// The listener of the page. Only the usual port may be replaced by another one.
async fn bind(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    if let Some(address) = wanted {
        return TcpListener::bind(address).await.map_err(|error| unbound(address, error));
    }
    match TcpListener::bind(DEFAULT_LISTEN).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let any = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
            TcpListener::bind(any).await.map_err(|error| unbound(any, error))
        }
        other => other.map_err(|error| unbound(DEFAULT_LISTEN, error)),
    }
}

fn unbound(address: SocketAddr, source: io::Error) -> Failure {
    Failure::from(LabError::Listen { address: address.to_string(), source })
        .help("choose another address with --listen, or leave it out")
}

/// Ctrl-C and a polite `kill` end the lab; a second one ends the process at once.
pub(super) fn stop_on_signals(stop: &CancellationToken) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::infrastructure(format!("cannot listen for signals: {error}"));
    let mut signals = signals().map_err(failed)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if stop.is_cancelled() {
                std::process::exit(i32::from(Exit::Infrastructure.code()));
            }
            stop.cancel();
        }
    });
    Ok(())
}

#[cfg(unix)]
fn signals() -> io::Result<tokio::sync::mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (tx, rx) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut stream = signal(kind)?;
        let tx = tx.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _full_means_told = tx.try_send(());
            }
        });
    }
    Ok(rx)
}

#[cfg(not(unix))]
fn signals() -> io::Result<tokio::sync::mpsc::Receiver<()>> {
    let (tx, rx) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            let _full_means_told = tx.try_send(());
        }
    });
    Ok(rx)
}

/// A dialect's name, with a warning where nothing proves it.
fn dialect(name: &str) -> String {
    let proven = pulldrill_lab::dialects().iter().any(|dialect| dialect.id == name && dialect.verified);
    if proven { name.to_owned() } else { format!("{name}, {}", paint(Tone::Wait, UNVERIFIED)) }
}

/// What to know and to type, once the lab is ready.
pub(super) fn summary(ground: &Ground<'_>, up: &Up, info: &LabInfo, took: std::time::Duration) -> String {
    let env = info.kubeconfig.as_ref().map(|path| path.with_file_name("env.sh"));
    let env = env.unwrap_or_else(|| ground.common.dir.join("env.sh"));
    let label = |text: &str| paint(Tone::Dim, format!("{text:<12}"));
    let drills = info.drills.join(", ");
    let mut lines = vec![
        format!(
            "{} {}, after {took:.1?}: {drills}",
            paint(Tone::Good, "●"),
            if info.drills.len() == 1 {
                "1 drill is failing as it should".to_owned()
            } else {
                format!("{} drills are failing as they should", info.drills.len())
            }
        ),
        String::new(),
    ];
    if let Some(web) = &info.web {
        lines.push(format!("  {}{}", label("page"), paint(Tone::Code, web)));
    }
    if let Some(kubeconfig) = &info.kubeconfig {
        lines.push(format!("  {}{}", label("kubeconfig"), kubeconfig.display()));
    }
    if up.place.backend == Backend::Embedded {
        lines.push(format!("  {}{}", label("dialect"), dialect(&up.dialect)));
    }
    lines.push(format!("  {}{}", label("seed"), info.seed));
    lines.push(String::new());
    lines.push("  In another shell:".into());
    lines.push(format!("    {}", paint(Tone::Code, format!("source {}", env.display()))));
    if up.place.backend == Backend::Existing {
        // Somebody else's namespaces are none of a trainee's business.
        lines.push(format!("    {}", paint(Tone::Code, "pulldrill status")));
        lines.push(format!("    {}", paint(Tone::Code, "kubectl -n NAMESPACE get pods")));
    } else {
        lines.push(format!("    {}", paint(Tone::Code, "kubectl get pods -A")));
    }
    if on_path("kubectl").is_none() {
        lines.push(String::new());
        lines.push(format!(
            "  {} kubectl is not on your PATH; any version from 1.20 on will do:",
            paint(Tone::Wait, "!")
        ));
        lines.push("    https://kubernetes.io/docs/tasks/tools/".into());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Where a program is, if it is on the PATH.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &std::path::Path) -> bool {
    file.is_file() || file.with_extension("exe").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_said_unless_nobody_asked_for_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let failure = bind(Some(taken.local_addr().unwrap())).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Infrastructure);
        assert!(failure.message.contains("cannot listen on 127.0.0.1:") && failure.help.is_some());
        let (first, second) = (bind(None).await.unwrap(), bind(None).await.unwrap());
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }

    #[test]
    fn a_dialect_that_nothing_proves_is_said_to_be_one() {
        assert_eq!(dialect("k8s-1.36-containerd-2.1"), "k8s-1.36-containerd-2.1");
        let said = dialect("k8s-1.31-cri-o-1.31");
        assert!(said.starts_with("k8s-1.31-cri-o-1.31, ") && said.contains(UNVERIFIED), "{said}");
    }

    #[test]
    fn a_browser_cannot_open_the_unspecified_address() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
    }
}
