//! Making sure that a container's image is on the node: the decisions before a pull, and after it.

use std::sync::Arc;

use pulldrill_clock::Timestamp;

use super::{
    Done, Kubelet, What,
    backoff::Backoff,
    keyring,
    secrets::Entry,
    worker::{Todo, Waiting, Worker},
};
use crate::{
    dialect::{MalformedSecret, Precision, Text},
    engine::Context,
    puller::{Image, PullError, Reference, words},
    recorder::Kind,
    store::Key,
};

/// A pull that waits for its turn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) uid: String,
    pub(super) todo: Todo,
    pub(super) reference: Reference,
    /// The credentials to try, in order; none means one anonymous try.
    pub(super) entries: Vec<Entry>,
    /// When it was announced.
    pub(super) announced: Timestamp,
}

/// What came of a pull.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) job: Job,
    pub(super) began: Timestamp,
    /// The image and the entry that got it, or every entry's error.
    pub(super) result: Result<(Arc<Image>, Option<Entry>), Vec<PullError>>,
}

/// What is to be done about a container's image.
pub(super) enum Decision {
    /// It is there.
    Present(Arc<Image>),
    /// It will be pulled.
    Pull(Box<Job>),
    /// It cannot be had now.
    Refused(Waiting),
}

impl Kubelet {
    /// Decides about an image and says so in events.
    pub(super) fn ensure(
        &mut self,
        worker: &mut Worker,
        key: &Key,
        sync: &super::worker::Sync,
        todo: &Todo,
    ) -> Decision {
        let now = self.clock.now();
        let image = todo.image.as_str();
        let pod = sync.pod.value();
        let path = todo.field_path();
        let say =
            |kind, reason: &str, message: &str| self.recorder.event(pod, Some(&path), kind, reason, message);
        let reference = match Reference::parse(image) {
            Ok(reference) => reference,
            Err(error) => {
                let error = error.text(self.dialect.kubelet.reference_error_names_repository);
                let message = self.dialect.text(Text::InvalidImage, &[("image", image), ("error", &error)]);
                say(Kind::Warning, "InspectFailed", &message);
                return refused("InvalidImageName", message);
            }
        };
        let always = todo.policy == "Always";
        let inspected = if always && !self.dialect.kubelet.inspects_always {
            Ok(None)
        } else {
            self.puller.inspect(&reference)
        };
        let present = match inspected {
            Ok(found) => found.filter(|_| !always),
            Err(error) => {
                let values = [("image", image), ("error", error.as_str())];
                let message = self.dialect.text(Text::InspectFailed, &values);
                say(Kind::Warning, "InspectFailed", &message);
                return refused("ImageInspectError", message);
            }
        };
        let entries = match &sync.secrets.entries {
            Ok(entries) => keyring::matching(entries, &reference),
            Err(words) => {
                let looked_at = present.is_none() || self.dialect.kubelet.ensure_secret_pulled;
                let wanted = present.is_some() || todo.policy != "Never";
                let early = self.dialect.kubelet.malformed_secret == MalformedSecret::FailsBeforePull;
                if early && looked_at && wanted {
                    return refused(words, words.clone());
                }
                Vec::new()
            }
        };
        if let Some(present) = present
            && (!self.dialect.kubelet.ensure_secret_pulled
                || present.preloaded
                || self.access.allows(&reference, &present, &entries))
        {
            let message = self.dialect.text(Text::AlreadyPresent, &[("image", image)]);
            say(Kind::Normal, "Pulled", &message);
            return Decision::Present(present);
        }
        if todo.policy == "Never" {
            let message = self.dialect.text(Text::NeverPull, &[("image", image)]);
            say(Kind::Warning, "ErrImageNeverPull", &message);
            return refused("ErrImageNeverPull", message);
        }
        if worker.backoff.get(image).is_some_and(|backoff| backoff.holds(now)) {
            let message = self.dialect.text(Text::BackOff, &[("image", image)]);
            say(Kind::Normal, "BackOff", &message);
            let last = worker.last_errors.get(image);
            let message = match last.filter(|_| self.dialect.kubelet.backoff_keeps_last_error) {
                Some(Waiting { reason, message }) => {
                    let values = [("image", image), ("reason", reason.as_str()), ("error", message.as_str())];
                    self.dialect.text(Text::BackOffWaiting, &values)
                }
                None => message,
            };
            return refused("ImagePullBackOff", message);
        }
        let entries = [entries, self.providers.entries(&reference, now)].concat();
        worker.last_errors.remove(image);
        say(Kind::Normal, "Pulling", &self.dialect.text(Text::Pulling, &[("image", image)]));
        if let Err(words) = &sync.secrets.entries {
            return self.pull_failed(worker, sync, todo, words.clone());
        }
        if !self.rate.take(now) {
            return self.pull_failed(worker, sync, todo, "pull QPS exceeded".to_owned());
        }
        Decision::Pull(Box::new(Job {
            key: key.clone(),
            uid: worker.uid.clone(),
            todo: todo.clone(),
            reference,
            entries,
            announced: now,
        }))
    }

    /// Takes in the end of a pull.
    pub(super) fn pulled(
        &mut self,
        worker: &mut Worker,
        sync: &super::worker::Sync,
        pulled: &Pulled,
    ) -> Decision {
        let Pulled { job, began, result } = pulled;
        let (image, entry) = match result {
            Ok(got) => got,
            Err(errors) => {
                let words = self.together(errors);
                return self.pull_failed(worker, sync, &job.todo, words);
            }
        };
        let now = self.clock.now();
        self.access.pulled(&job.reference, image, entry.as_ref());
        let values = [
            ("image", job.todo.image.as_str()),
            ("duration", &self.span(*began, now)),
            ("waiting", &self.span(job.announced, now)),
            ("size", &image.size.to_string()),
        ];
        let message = self.dialect.text(Text::Pulled, &values);
        let path = job.todo.field_path();
        self.recorder.event(sync.pod.value(), Some(&path), Kind::Normal, "Pulled", &message);
        Decision::Present(image.clone())
    }

    /// A pull has failed: the event, the back-off, the reason.
    fn pull_failed(
        &self,
        worker: &mut Worker,
        sync: &super::worker::Sync,
        todo: &Todo,
        error: String,
    ) -> Decision {
        let image = todo.image.as_str();
        let message = self.dialect.text(Text::PullFailed, &[("image", image), ("error", &error)]);
        let path = todo.field_path();
        self.recorder.event(sync.pod.value(), Some(&path), Kind::Warning, "Failed", &message);
        let previous = worker.backoff.get(image).copied();
        worker.backoff.insert(image.to_owned(), Backoff::failed(previous, self.clock.now()));
        let waiting = self.classified(image, error);
        worker.last_errors.insert(image.to_owned(), waiting.clone());
        Decision::Refused(waiting)
    }

    /// The reason of a failed pull: where the runtime begins with one, that.
    fn classified(&self, image: &str, error: String) -> Waiting {
        const REASONS: [(&str, Text); 2] = [
            ("RegistryUnavailable", Text::RegistryUnavailable),
            ("SignatureValidationFailed", Text::SignatureFailed),
        ];
        let known = REASONS.into_iter().find_map(|(reason, text)| {
            let rest = error.strip_prefix(reason)?;
            let message = self.dialect.text(text, &[("image", image), ("rest", rest)]);
            Some(Waiting { reason: reason.to_owned(), message })
        });
        let known = known.filter(|_| self.dialect.kubelet.knows_runtime_reasons);
        known.unwrap_or_else(|| Waiting { reason: "ErrImagePull".to_owned(), message: error })
    }

    /// Several credentials' errors as one text: equal ones once, different ones as a list.
    fn together(&self, errors: &[PullError]) -> String {
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(|error| error.shown(&self.dialect)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }
    }

    fn span(&self, from: Timestamp, to: Timestamp) -> String {
        let span = to.duration_since(from);
        words::duration(match self.dialect.kubelet.durations {
            Precision::Nanoseconds => span,
            Precision::Milliseconds => pulldrill_clock::SignedDuration::from_millis(
                i64::try_from(span.as_millis()).unwrap_or_default(),
            ),
        })
    }

    /// Puts a pull in line.
    pub(super) fn enqueue(&mut self, job: Job, context: &Context) {
        self.line.push_back(job);
        self.start_pulls(context);
    }

    /// Starts the pulls whose turn it is; those of pods that have gone are skipped.
    pub(super) fn start_pulls(&mut self, context: &Context) {
        while self.pulling < self.parallel {
            let Some(job) = self.line.pop_front() else { return };
            let wanted = self.pods.get(&job.key).is_some_and(|w| w.uid == job.uid && w.is_syncing());
            if wanted {
                self.pulling += 1;
                self.start_pull(job, context);
            }
        }
    }

    fn start_pull(&self, job: Job, context: &Context) {
        let (puller, clock) = (self.puller.clone(), self.clock.clone());
        context.start(job.key.clone(), move |busy| async move {
            let began = clock.now();
            let mut busy = busy;
            let mut errors = Vec::new();
            let mut tries: Vec<Option<Entry>> = job.entries.iter().cloned().map(Some).collect();
            if tries.is_empty() {
                tries.push(None);
            }
            let mut got = None;
            for entry in tries {
                let credential = entry.as_ref().map(|e| e.credential.clone());
                let (result, token) = puller.pull(&job.reference, credential, busy).await;
                busy = token;
                match result {
                    Ok(image) => {
                        got = Some((image, entry));
                        break;
                    }
                    Err(error) => errors.push(error),
                }
            }
            let uid = job.uid.clone();
            let what = What::Pulled(Box::new(Pulled { job, began, result: got.ok_or(errors) }));
            (Box::new(Done { uid, what }) as crate::engine::Outcome, busy)
        });
    }
}

fn refused(reason: &str, message: String) -> Decision {
    Decision::Refused(Waiting { reason: reason.to_owned(), message })
}
