//! Starting a lab: everything but the drills.

use std::sync::Arc;

use futures::FutureExt;
use pulldrill_clock::{SignedDuration, Timestamp, real, secret};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Inner, choose, turns::Turns};
use crate::{
    ClockMode, LabError, LabOptions, backend,
    folder::{Environment, Folder},
    inject::{Injector, timeline},
    judge::Judge,
    recording::Recorder,
    stage::Stage,
    store::{DrillEvent, Ledger},
};

/// Time before the first step of the history, in which the cluster settles.
const SETTLING: SignedDuration = SignedDuration::from_mins(2);

/// Boots the parts.
pub(super) async fn start(options: LabOptions) -> Result<Inner, LabError> {
    pulldrill_tls::install_provider();
    let catalogue = choose::catalogue(&options)?;
    let options = backend::settle(options, &catalogue).await?;
    let variants = choose::variants(&catalogue, &options)?;
    let folder = options.dir.as_deref().map(Folder::take).transpose()?;
    let instructor_token = secret::token();

    let history_end = match options.clock {
        ClockMode::Live => real::now(),
        ClockMode::Held(at) => at,
    };
    let before = timeline::span(&timeline::merged(&variants)) + SETTLING;
    let beginning = beginning(history_end, before)?;

    let stop = options.stop.child_token();
    let tasks = TaskTracker::new();
    let (changed, _) = watch::channel(0);
    let backend::Booted { backend, nodes, registry, registry_ended, clock } =
        backend::boot(&options, folder.as_ref(), beginning, &stop).await?;
    let variants = match choose::still_possible(&options, backend.missing(), variants) {
        Ok(variants) => variants,
        Err(error) => {
            backend.down().await?;
            return Err(error);
        }
    };
    let stage = Arc::new(Stage::new(clock.clone(), registry, nodes));
    let registry_authority = stage.authority().await?;

    let database = folder.as_ref().map(Folder::database);
    let ledger =
        Ledger::open(database, real::now(), options.seed, &backend.dialect().0, changed.clone()).await?;
    let ledger = Arc::new(ledger);
    for variant in &variants {
        let event = DrillEvent::Injecting { scenario: variant.scenario.clone(), seed: variant.seed };
        ledger.record(&variant.drill, clock.now(), event).await?;
    }
    let (judge, judging) =
        Judge::start(backend.clone(), stage.clone(), ledger.clone(), changed.clone(), stop.clone());
    tasks.spawn(judging);
    let recorder = Recorder::new(backend.objects().clone(), clock.clone());
    tasks.spawn(recorder.run(backend.changes(), stop.clone()));

    let turns = Turns::new(backend.can_advance());
    let injector = Injector::new(backend.clone(), stage.clone());
    let drills = parking_lot::RwLock::new(Vec::new());
    let inner = Inner {
        options,
        catalogue,
        clock,
        folder,
        backend,
        stage,
        ledger,
        judge,
        injector,
        recorder,
        drills,
        changed,
        instructor_token,
        registry_authority,
        history_end,
        registry_ended: registry_ended.shared(),
        stop,
        tasks,
        turns,
    };
    for variant in variants {
        inner.stage.set_up(&variant, history_end).await?;
        inner.drills.write().push(variant);
    }
    inner.write_files()?;
    Ok(inner)
}

fn beginning(end: Timestamp, before: SignedDuration) -> Result<Timestamp, LabError> {
    end.checked_sub(before).map_err(|error| LabError::Invalid(format!("the history is too long: {error}")))
}

impl Inner {
    /// Writes what people and scripts need before the drills are open.
    fn write_files(&self) -> Result<(), LabError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.write_secrets(&self.instructor_token)?;
        let ecr = self.stage.ecr_hosts().into_iter().next();
        let program = self.options.program.as_deref().and_then(std::path::Path::parent);
        let environment = Environment {
            ecr: ecr.as_ref().and_then(|host| host.api.as_deref()),
            region: ecr.as_ref().and_then(|host| host.region.as_deref()),
            web: self.options.web.as_deref(),
            program_folder: program,
        };
        folder.write(&self.backend.trainee_kubeconfig(), &self.registry_authority, &environment)
    }
}
