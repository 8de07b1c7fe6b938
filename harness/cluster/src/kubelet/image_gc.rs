//! Making room for images: when the node's disk is nearly full, images that nothing uses go, the longest unused first.
//!
//! Thresholds, periods and words are those of a kubelet's image manager. A node whose disk has no size is never full.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use pulldrill_clock::{SignedDuration, Timestamp};

use super::Kubelet;
use crate::{dialect::Text, engine::Context, puller::Image, recorder::Kind, store::Key};

/// How often the disk is looked at.
pub(super) const PERIOD: SignedDuration = SignedDuration::from_mins(5);
/// From how much use on images go, in percent, and down to how much.
const HIGH: u64 = 85;
const LOW: u64 = 80;
/// How long an image has to have been there.
const YOUNG: SignedDuration = SignedDuration::from_mins(2);

/// What is remembered of the images of a node.
#[derive(Debug, Default)]
pub(super) struct ImageUse {
    seen: HashMap<String, Seen>,
    /// Whether the last look failed: only a second failure is told as one of the whole.
    failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Timestamp,
    used: Option<Timestamp>,
}

impl ImageUse {
    /// Takes in which images there are, and which of them are in use.
    fn detect(&mut self, images: &[Arc<Image>], in_use: &HashSet<String>, now: Timestamp) {
        let there: HashSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        self.seen.retain(|id, _| there.contains(id.as_str()));
        for image in images {
            let seen = self.seen.entry(image.id.clone()).or_insert(Seen { first: now, used: None });
            if in_use.contains(&image.id) {
                seen.used = Some(now);
            }
        }
    }

    /// The images that may go, the longest unused first.
    fn candidates(&self, images: &[Arc<Image>], in_use: &HashSet<String>, now: Timestamp) -> Vec<Arc<Image>> {
        let mut ids = HashSet::new();
        let mut found: Vec<(Seen, Arc<Image>)> = images
            .iter()
            .filter(|image| !in_use.contains(&image.id) && ids.insert(image.id.clone()))
            .filter_map(|image| Some((*self.seen.get(&image.id)?, image.clone())))
            .filter(|(seen, _)| now.duration_since(seen.first) >= YOUNG)
            .collect();
        found.sort_by(|(a, x), (b, y)| (a.used, a.first, &x.id).cmp(&(b.used, b.first, &y.id)));
        found.into_iter().map(|(_, image)| image).collect()
    }
}

impl Kubelet {
    /// The key under which the disk is looked at.
    pub(super) fn disk_key(&self) -> Key {
        Key::new("", format!("{}/images", self.node.name))
    }

    /// Looks at the disk, and again later.
    pub(super) fn look_at_disk(&mut self, context: &Context) {
        let Some(capacity) = self.image_disk.filter(|bytes| *bytes > 0) else { return };
        let now = self.clock.now();
        let images = self.puller.images();
        let slots = self.pods.values().flat_map(|worker| worker.slots.values());
        let containers = slots.flat_map(|slot| [&slot.current, &slot.last]).flatten();
        let in_use: HashSet<String> = containers.map(|container| container.image.id.clone()).collect();
        self.image_use.detect(&images, &in_use, now);
        let used: u64 = sizes(&images);
        let percent = used.saturating_mul(100) / capacity;
        if percent >= HIGH {
            let wanted = used.saturating_sub(capacity.saturating_mul(LOW) / 100);
            let freed = self.free(wanted, &images, &in_use, now);
            self.node.tell_images(&self.api, &self.puller.images());
            self.tell(wanted, freed);
        } else {
            self.image_use.failed = false;
        }
        context.again_at(self.disk_key(), now + PERIOD);
    }

    fn free(&self, wanted: u64, images: &[Arc<Image>], in_use: &HashSet<String>, now: Timestamp) -> u64 {
        let mut freed = 0;
        for image in self.image_use.candidates(images, in_use, now) {
            if freed >= wanted {
                break;
            }
            self.puller.remove(&image.id);
            freed += image.size;
        }
        freed
    }

    fn tell(&mut self, wanted: u64, freed: u64) {
        if freed >= wanted {
            self.image_use.failed = false;
            return;
        }
        let (wanted, freed) = (wanted.to_string(), freed.to_string());
        let message = self.dialect.text(Text::DiskFull, &[("wanted", &wanted), ("freed", &freed)]);
        let node = self.node.reference();
        self.recorder.event(&node, None, Kind::Warning, "FreeDiskSpaceFailed", &message);
        if std::mem::replace(&mut self.image_use.failed, true) {
            self.recorder.event(&node, None, Kind::Warning, "ImageGCFailed", &message);
        }
    }
}

/// What images take together, each once.
fn sizes(images: &[Arc<Image>]) -> u64 {
    let mut ids = HashSet::new();
    images.iter().filter(|image| ids.insert(image.id.as_str())).map(|image| image.size).sum()
}
