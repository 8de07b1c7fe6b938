//! What a shell does when it is asked to end (`trap 'cleanup; exit' TERM`). Of the signals only TERM ever comes.

use std::sync::atomic::Ordering;

use super::{Flow, Shell, parse::parse};

/// The names of the signal that asks.
const TERM: [&str; 3] = ["TERM", "SIGTERM", "15"];

impl Shell {
    /// The command `trap`: remembers what to do, or with `-` that nothing is to be done.
    pub(super) fn trap(&mut self, arguments: &[String]) -> i32 {
        let Some((action, signals)) = arguments.split_first() else { return 0 };
        if signals.iter().any(|signal| TERM.contains(&signal.as_str())) {
            self.on_term = (action != "-").then(|| action.clone());
        }
        0
    }

    /// Between two commands: does what is to be done, if the shell has been asked to end meanwhile.
    pub(super) async fn trapped(&mut self) -> Result<(), Flow> {
        let Some(action) = self.on_term.as_ref() else { return Ok(()) };
        let asked = &self.process.world.terminate;
        if !self.process.first || !asked.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let list = parse(action).unwrap_or_default();
        let before = self.last;
        self.list(&list).await?;
        self.last = before;
        Ok(())
    }
}
