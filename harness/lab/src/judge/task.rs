//! The judge's loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, mailbox};
use pulldrill_cluster::store::{Event, StoreChanged};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Case, Gate, Message, case::Stand, notice, schedule};
use crate::{
    LabError,
    backend::Backend,
    checks::{self, Baseline, Facts, gate},
    observe::{Retries, Snapshot, Workload},
    stage::Stage,
    store::{CheckResult, DrillEvent, Ledger, Progress},
    view::DrillState,
};

/// What the task works with.
pub(super) struct Task {
    backend: Arc<dyn Backend>,
    stage: Arc<Stage>,
    ledger: Arc<Ledger>,
    changed: watch::Sender<u64>,
    messages: mailbox::Sender<Message>,
    clock: Clock,
    cases: BTreeMap<String, Case>,
    retries: Arc<Mutex<Retries>>,
    seen: u64,
}

/// What woke the task.
enum Wake {
    /// Something has happened to objects, or at a registry.
    Seen,
    /// Somebody wants something.
    Told(Message),
}

/// How soon a drill is judged again when its evidence could not be gathered.
const AGAIN: SignedDuration = SignedDuration::from_secs(2);

impl Task {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        stage: Arc<Stage>,
        ledger: Arc<Ledger>,
        changed: watch::Sender<u64>,
        messages: mailbox::Sender<Message>,
        retries: Arc<Mutex<Retries>>,
    ) -> Self {
        let clock = backend.clock().clone();
        let seen = backend.objects().revision();
        Self { backend, stage, ledger, changed, messages, clock, cases: BTreeMap::new(), retries, seen }
    }

    pub(super) fn run(
        mut self,
        mut inbox: mailbox::Receiver<Message>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut objects = self.backend.changes();
        let mut pulls = self.stage.pulls(&self.clock);
        async move {
            loop {
                let (wake, _busy) = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    Some((message, busy)) = inbox.recv() => (Wake::Told(message), busy),
                    Some((StoreChanged, busy)) = objects.recv() => (Wake::Seen, busy),
                    Some(((), busy)) = pulls.recv() => (Wake::Seen, busy),
                    else => return,
                };
                while objects.try_recv().is_ok() {}
                while pulls.try_recv().is_ok() {}
                if let Err(error) = self.handle(wake).await {
                    tracing::error!(%error, "a drill could not be judged");
                }
            }
        }
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), LabError> {
        // Whatever woke it: the messages about the rest have been thrown away by now.
        let mut touched = self.catch_up().await?;
        touched.extend(self.stage.take_pulls());
        if let Wake::Told(message) = wake {
            touched.extend(self.obey(message).await?);
        }
        for drill in &touched {
            if let Err(error) = self.judge(drill).await {
                // A registry that is elsewhere may not answer for a moment; nothing else may ever happen here.
                tracing::warn!(%error, drill, "it will be judged again");
                let look = Message::Look { drill: drill.clone() };
                schedule(&self.clock, self.clock.now() + AGAIN, &self.messages, look);
            }
        }
        if !touched.is_empty() {
            self.changed.send_modify(|n| *n += 1);
        }
        Ok(())
    }

    /// Takes in what has happened to objects; the drills whose namespaces were touched.
    async fn catch_up(&mut self) -> Result<BTreeSet<String>, LabError> {
        let Ok(events) = self.backend.objects().events_since(self.seen) else {
            self.seen = self.backend.objects().revision();
            return Ok(self.cases.keys().cloned().collect());
        };
        let mut touched = BTreeSet::new();
        for event in events {
            self.seen = event.revision;
            self.retries.lock().saw(&event, self.clock.now());
            let drill = self.cases.iter().find(|(_, case)| case.variant.namespace == event.key.namespace);
            let Some(drill) = drill.map(|(drill, _)| drill.clone()) else { continue };
            self.notice(&drill, &event).await?;
            touched.insert(drill);
        }
        Ok(touched)
    }

    async fn notice(&self, drill: &str, event: &Event) -> Result<(), LabError> {
        let Some(Case { variant, stand: Stand::Open { baseline, .. } }) = self.cases.get(drill) else {
            return Ok(());
        };
        let snapshot = self.snapshot(&variant.namespace);
        let spec = &variant.workload;
        let workload = Workload::find(&snapshot, spec.kind.resource(), &spec.name)
            .filter(|workload| workload.uid() == baseline.workload_uid);
        let noticed = notice::pod_deleted(event, workload.as_ref(), i64::from(spec.replicas), &snapshot);
        let Some(noticed) = noticed else { return Ok(()) };
        self.ledger.record(drill, self.clock.now(), noticed).await
    }

    async fn obey(&mut self, message: Message) -> Result<Option<String>, LabError> {
        match message {
            Message::Arm { variant, gate } => {
                let drill = variant.drill.clone();
                let stand = Stand::Waiting { gate, seen: None };
                self.cases.insert(drill.clone(), Case { variant, stand });
                Ok(Some(drill))
            }
            Message::OpenSeen => {
                self.open_seen().await?;
                Ok(None)
            }
            Message::HoldOver { drill, since } => {
                self.hold_over(&drill, since).await?;
                Ok(Some(drill))
            }
            Message::Look { drill } => Ok(Some(drill)),
            Message::Forget { drill, done } => {
                self.stop_hold(&drill);
                self.cases.remove(&drill);
                let _nobody_waits = done.send(());
                Ok(None)
            }
            Message::TemplateChanged { drill, answer } => {
                let _nobody_waits = answer.send(self.template_changed(&drill));
                Ok(None)
            }
        }
    }

    async fn judge(&mut self, drill: &str) -> Result<(), LabError> {
        match self.cases.get(drill).map(|case| &case.stand) {
            Some(Stand::Waiting { .. }) => self.look_for_symptom(drill).await,
            Some(Stand::Open { .. }) => self.run_checks(drill).await,
            Some(Stand::Over) | None => Ok(()),
        }
    }

    async fn look_for_symptom(&mut self, drill: &str) -> Result<(), LabError> {
        let Some(case) = self.cases.get(drill) else { return Ok(()) };
        let snapshot = self.snapshot(&case.variant.namespace);
        let Ok(what) = gate::look(&case.variant, &snapshot) else { return Ok(()) };
        let Some(Case { stand: Stand::Waiting { gate, seen }, .. }) = self.cases.get_mut(drill) else {
            return Ok(());
        };
        match gate {
            Gate::WhenTold => {
                *seen = Some(what);
                Ok(())
            }
            Gate::AtOnce => self.open(drill, what).await,
        }
    }

    async fn open_seen(&mut self) -> Result<(), LabError> {
        let mut ready = Vec::new();
        for (drill, case) in &mut self.cases {
            if let Stand::Waiting { gate, seen } = &mut case.stand {
                *gate = Gate::AtOnce;
                ready.extend(seen.take().map(|seen| (drill.clone(), seen)));
            }
        }
        for (drill, seen) in ready {
            self.open(&drill, seen).await?;
            self.run_checks(&drill).await?;
        }
        Ok(())
    }

    async fn open(&mut self, drill: &str, seen: String) -> Result<(), LabError> {
        let now = self.clock.now();
        let Some(case) = self.cases.get(drill) else { return Ok(()) };
        let snapshot = self.snapshot(&case.variant.namespace);
        self.stage.take_pulls();
        let evidence = self.stage.evidence(drill, &snapshot).await?;
        let baseline = Baseline::take(&case.variant, &snapshot, &evidence, now);
        self.ledger.record(drill, now, DrillEvent::SymptomSeen { seen }).await?;
        if let Some(case) = self.cases.get_mut(drill) {
            case.stand = Stand::Open { baseline: Box::new(baseline), hold: None };
        }
        self.messages.send(Message::Look { drill: drill.to_owned() });
        Ok(())
    }

    async fn run_checks(&mut self, drill: &str) -> Result<(), LabError> {
        let Some(Case { variant, stand: Stand::Open { baseline, .. } }) = self.cases.get(drill) else {
            return Ok(());
        };
        let (variant, now) = (variant.clone(), self.clock.now());
        let snapshot = self.snapshot(&variant.namespace);
        let evidence = self.stage.evidence(drill, &snapshot).await?;
        let state = self
            .ledger
            .change(drill, now, |progress| {
                let facts = Facts {
                    variant: &variant,
                    snapshot: &snapshot,
                    baseline,
                    evidence: &evidence,
                    progress,
                    now,
                };
                let events = if progress.state.is_running() { decide(&facts) } else { Vec::new() };
                let mut after = progress.clone();
                events.iter().for_each(|event| after.apply(now, event));
                Ok((events, (after.state, after.held_since)))
            })
            .await?;
        self.follow(drill, &variant, state);
        Ok(())
    }

    /// Keeps the timer of the hold in step with the drill's state.
    fn follow(
        &mut self,
        drill: &str,
        variant: &pulldrill_scenarios::Variant,
        state: (DrillState, Option<Timestamp>),
    ) {
        match state {
            (DrillState::Held, Some(since)) => {
                let Some(Case { stand: Stand::Open { hold: hold @ None, .. }, .. }) =
                    self.cases.get_mut(drill)
                else {
                    return;
                };
                let message = Message::HoldOver { drill: drill.to_owned(), since };
                *hold = Some(schedule(&self.clock, since + variant.hold, &self.messages, message));
            }
            (DrillState::Open, _) => self.stop_hold(drill),
            _ => {
                self.stop_hold(drill);
                if let Some(case) = self.cases.get_mut(drill) {
                    case.stand = Stand::Over;
                }
            }
        }
    }

    async fn hold_over(&mut self, drill: &str, since: Timestamp) -> Result<(), LabError> {
        let Some(Case { stand: Stand::Open { hold, .. }, .. }) = self.cases.get_mut(drill) else {
            return Ok(());
        };
        *hold = None;
        self.run_checks(drill).await?;
        let now = self.clock.now();
        self.ledger
            .change(drill, now, |progress| {
                let held = progress.state == DrillState::Held && progress.held_since == Some(since);
                Ok((if held { vec![DrillEvent::Solved] } else { Vec::new() }, ()))
            })
            .await
    }

    fn stop_hold(&mut self, drill: &str) {
        if let Some(Case { stand: Stand::Open { hold, .. }, .. }) = self.cases.get_mut(drill)
            && let Some(timer) = hold.take()
        {
            self.clock.cancel(timer);
        }
    }

    fn template_changed(&self, drill: &str) -> bool {
        let Some(Case { variant, stand: Stand::Open { baseline, .. } }) = self.cases.get(drill) else {
            return false;
        };
        let spec = &variant.workload;
        let workload = Workload::find(&self.snapshot(&variant.namespace), spec.kind.resource(), &spec.name);
        workload.is_some_and(|workload| *workload.template() != baseline.template)
    }

    fn snapshot(&self, namespace: &str) -> Snapshot {
        Snapshot::new(self.backend.objects(), namespace)
    }
}

/// What the present facts make of a running drill.
fn decide(facts: &Facts<'_>) -> Vec<DrillEvent> {
    let results = checks::evaluate_all(facts);
    let all_required_pass = {
        let required = facts.variant.checks.iter().zip(&results).filter(|(check, _)| check.required);
        required.filter(|(_, result)| !result.passed).count() == 0
    };
    let mut events = Vec::new();
    let news = changed(facts.progress, results);
    if !news.is_empty() {
        events.push(DrillEvent::Checked { results: news });
    }
    match (facts.progress.state, all_required_pass) {
        (DrillState::Open, true) => events.push(DrillEvent::Held),
        (DrillState::Held, false) => events.push(DrillEvent::Broken),
        _ => {}
    }
    events
}

fn changed(progress: &Progress, results: Vec<CheckResult>) -> Vec<CheckResult> {
    results.into_iter().filter(|result| progress.checks.get(&result.id) != Some(result)).collect()
}
