//! The order of one recording's events, and the times between them, against what a kubelet does: it pulls and
//! backs off, refuses without a pull at every sync, or starts the container.

use super::{normalise::Normaliser, recording::Version};

/// How many events there may be after the limit.
const LONGEST_REST: usize = 16;
/// How many events there are at least before the limit is reached, and how many of any kind may come after it: a
/// source regains one in five minutes.
const LIMIT: usize = 20;
const REGAINED: usize = 2;
/// How often something has to fail before it counts as seen.
const ROUNDS: usize = 3;

/// What a kubelet says at every sync, whatever the state of the pull.
const AT_EVERY_SYNC: &str = "FailedToRetrieveImagePullSecret";

/// The events of a pull that fails, of a sync that does not pull yet, of syncs that refuse, of starts.
const PULL: &str = "pfe";
const PULL_IN_ANY_ORDER: [&str; 4] = ["epf", "fpe", "efp", "fep"];
const BACK_OFF: &str = "bi";
const REFUSALS: [&str; 3] = ["nx", "vx", "x"];
const STARTS: [&str; 2] = ["pPCT", "PCT"];

/// One letter an event: `p`ulling, `f`ailed to pull, `e`rror ErrImagePull, `b`ack-off, `i` for Error:
/// ImagePullBackOff, `n`ever pull, in`v`alid name (or an image that can't be inspected), `x` for another
/// Error:, `P`ulled or present, `C`reated, s`T`arted, `K`illing, `S` for scheduled and anything else as `?`.
fn letter(event: &Version) -> char {
    let message = event.object["message"].as_str().unwrap_or_default();
    match event.object["reason"].as_str().unwrap_or_default() {
        "Scheduled" => 'S',
        "Pulling" => 'p',
        "BackOff" => 'b',
        "ErrImageNeverPull" => 'n',
        "InspectFailed" => 'v',
        "Pulled" => 'P',
        "Created" => 'C',
        "Started" => 'T',
        "Killing" => 'K',
        "Failed" if message.starts_with("Failed to pull image") => 'f',
        "Failed" if message == "Error: ErrImagePull" => 'e',
        "Failed" if message == "Error: ImagePullBackOff" => 'i',
        "Failed" if message.starts_with("Error: ") => 'x',
        _ => '?',
    }
}

/// What the letters of one container tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Story<'a> {
    /// The back-offs after each failed pull.
    back_offs: Vec<usize>,
    /// Syncs that refused without a pull.
    refusals: usize,
    started: bool,
    rest: &'a str,
}

impl<'a> Story<'a> {
    /// Reads letters; with `either`, the two of a pair may come in any order.
    fn read(letters: &'a str, either: bool) -> Self {
        let mut story = Self { rest: letters.strip_prefix('S').unwrap_or_default(), ..Self::default() };
        loop {
            // The first of each event is written by itself; from the second pull on they are counted up, side by side.
            let pull = step(story.rest, PULL, either);
            let counted_up = || PULL_IN_ANY_ORDER.iter().find_map(|pull| story.rest.strip_prefix(pull));
            if let Some(after) =
                pull.or_else(|| counted_up().filter(|_| either && !story.back_offs.is_empty()))
            {
                story.back_offs.push(0);
                story.rest = after;
            } else if let Some((last, after)) =
                story.back_offs.last_mut().zip(step(story.rest, BACK_OFF, either))
            {
                *last += 1;
                story.rest = after;
            } else if let Some(after) = REFUSALS.iter().find_map(|r| step(story.rest, r, either)) {
                story.refusals += 1;
                story.rest = after;
            } else if let Some(after) = STARTS.iter().find_map(|s| story.rest.strip_prefix(s)) {
                story.started = true;
                story.rest = after.trim_start_matches('K');
                return story;
            } else {
                return story;
            }
        }
    }

    /// What is left was written after the limit, or is the beginning of a step that the end cut off.
    fn is_whole(&self, all: &str, either: bool) -> bool {
        let allowed = match (self.refusals > 0, either) {
            _ if self.started => "",
            (true, _) => "nvx",
            (false, true) => "pfebi",
            (false, false) => "pb",
        };
        let seen = self.started || self.back_offs.len() >= ROUNDS || self.refusals >= ROUNDS;
        let is_limited = !self.started && all.len() - self.rest.len() >= LIMIT;
        let regained = if is_limited { REGAINED } else { 0 };
        let others = self.rest.chars().filter(|c| !allowed.contains(*c)).count();
        seen && self.rest.len() <= LONGEST_REST && others <= regained
    }
}

/// What follows a step. With `either`, the last two of its letters may come the other way round.
fn step<'a>(rest: &'a str, letters: &str, either: bool) -> Option<&'a str> {
    let turned: String = match letters.split_at_checked(letters.len().saturating_sub(2)) {
        Some((first, pair)) if either => first.chars().chain(pair.chars().rev()).collect(),
        _ => letters.to_owned(),
    };
    rest.strip_prefix(letters).or_else(|| rest.strip_prefix(&turned))
}

/// Whether so many whole seconds between two events can have been within a range: each may be almost a second older than it
/// says.
fn is_within(seconds: f64, least: f64, most: f64) -> bool {
    seconds + 1.0 > least && seconds - 1.0 < most
}

/// Checks the order of one recording's events, and the steps between them, against the state machine. After the
/// event limit has been reached single events are missing, so only what came before is held to the order.
pub(super) fn sequence(
    rules: &Normaliser,
    dialect: &str,
    whose: &str,
    events: &[&Version],
    is_beside: bool,
) -> Vec<String> {
    let rules = &rules.rules;
    let either = rules.unordered_pairs.get(dialect).copied().unwrap_or_default();
    let of_the_pull = events.iter().filter(|e| e.object["reason"] != AT_EVERY_SYNC);
    let all: String = of_the_pull.map(|e| letter(e)).collect();
    let story = Story::read(&all, either);
    let mut differences = Vec::new();
    if !story.is_whole(&all, either) {
        differences.push(format!("{whose}: the order of events is not that of a kubelet: {all}"));
    }
    for (attempt, n) in story.back_offs.iter().enumerate() {
        let last = attempt + 1 == story.back_offs.len();
        let (least, mut most) = rules.back_offs_after_attempt.get(attempt).copied().unwrap_or((0, 99));
        if attempt == 0 && is_beside {
            most += rules.back_offs_beside_a_started_container;
        }
        if *n > most || (*n < least && !last) {
            differences
                .push(format!("{whose}: {n} back-offs after pull {}, not {least} to {most}", attempt + 1));
        }
    }
    let at = |wanted: char| -> Vec<f64> {
        events.iter().filter(|e| letter(e) == wanted).map(|e| e.happened()).collect()
    };
    let (pulls, failures, refusals) = (at('p'), at('f'), at('x'));
    for (step, (failed, next)) in failures.iter().zip(pulls.iter().skip(1)).enumerate() {
        let gap = next - failed;
        let (least, most) = rules.seconds_between_attempts.get(step).copied().unwrap_or((0.0, 999.0));
        if !is_within(gap, least, most) {
            differences.push(format!("{whose}: {gap:.0} s before pull {}, not {least} to {most}", step + 2));
        }
    }
    for (step, (one, next)) in refusals.iter().zip(refusals.iter().skip(1)).take(story.refusals).enumerate() {
        let gap = next - one;
        let ranges = &rules.seconds_between_refusals;
        let (least, most) = ranges.get(step).or(ranges.last()).copied().unwrap_or((0.0, 999.0));
        if !is_within(gap, least, most) {
            differences
                .push(format!("{whose}: {gap:.0} s before refusal {}, not {least} to {most}", step + 2));
        }
    }
    differences
}
