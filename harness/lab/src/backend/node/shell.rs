//! Running commands in a place, whatever it is: a node's container, a network namespace.

use futures::future::BoxFuture;

use super::NodeError;

/// What a command has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A place where commands can be run.
pub(crate) trait Shell: Send + Sync {
    /// What it is called, for messages.
    fn place(&self) -> &str;
    /// Runs a command to its end, whatever its exit code.
    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>>;
}

/// How much text goes into one argument; a kernel takes 128 KiB.
const ARGUMENT: usize = 64 * 1024;

impl dyn Shell + '_ {
    /// Runs a command that has to succeed: what it printed.
    pub(crate) async fn ok(&self, command: &[&str]) -> Result<String, NodeError> {
        let output = self.run(command).await?;
        self.succeeded(command, output)
    }

    /// Runs a command that reads text and has to succeed.
    ///
    /// The text travels as arguments: that needs no open input, which not every way into a node offers.
    pub(crate) async fn feed(&self, text: &str, command: &[&str]) -> Result<String, NodeError> {
        let line = format!("printf %s \"$@\" | {}", quoted(command));
        let mut all = vec!["sh", "-c", &line, "sh"];
        all.extend(pieces(text));
        let output = self.run(&all).await?;
        self.succeeded(command, output)
    }

    pub(crate) fn succeeded(&self, command: &[&str], output: Output) -> Result<String, NodeError> {
        if output.code == 0 {
            return Ok(output.stdout);
        }
        let said = if output.stderr.trim().is_empty() { output.stdout } else { output.stderr };
        Err(NodeError::Command {
            command: told(command),
            place: self.place().to_owned(),
            code: output.code,
            said: said.trim().to_owned(),
        })
    }
}

/// A command for messages: of a script, where it begins.
pub(crate) fn told(command: &[&str]) -> String {
    let first = |word: &&str| match word.split_once('\n') {
        Some((line, _)) => format!("{line} …"),
        None => (*word).to_owned(),
    };
    command.iter().map(first).collect::<Vec<_>>().join(" ")
}

/// A command as a line for `sh`.
fn quoted(command: &[&str]) -> String {
    let words = command.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''")));
    words.collect::<Vec<_>>().join(" ")
}

/// A text in pieces that each fit into an argument, cut between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(ARGUMENT));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ü".repeat(ARGUMENT + 1);
        let cut: Vec<&str> = pieces(&text).collect();
        assert_eq!(cut.len(), 3);
        assert!(cut.iter().all(|piece| piece.len() <= ARGUMENT));
        assert_eq!(cut.concat(), text);
    }

    #[test]
    fn messages_are_not_whole_scripts() {
        assert_eq!(told(&["sh", "-c", "set -eu\nrm x", "sh", "a"]), "sh -c set -eu … sh a");
    }

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert_eq!(quoted(&["cat", "it's $HOME"]), r"'cat' 'it'\''s $HOME'");
    }
}
