//! Everything that is printed: data to standard output, remarks and failures to standard error.
//!
//! Colours only on a terminal and never with `NO_COLOR`; a closed pipe ends the printing, not with noise.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::{
    args::Format,
    exit::{Exit, Failure},
};

/// What words mean, and with that how they look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Under way.
    Wait,
    /// Of less weight.
    Dim,
    /// Of more weight.
    Strong,
    /// To be typed.
    Code,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Wait => AnsiColor::Yellow.on_default(),
            Self::Dim => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
            Self::Code => AnsiColor::Cyan.on_default(),
        }
    }
}

/// Words in a tone.
pub(crate) fn paint(tone: Tone, text: impl Display) -> String {
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// The way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints data: as JSON, or as `text` has it.
    pub(crate) fn data<T: Serialize>(&self, data: &T, text: impl FnOnce(&T) -> String) {
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(data)
                .unwrap_or_else(|error| format!("{{\"error\":{{\"message\":\"{error}\"}}}}")),
            Format::Text => text(data),
        };
        self.line(text.trim_end_matches('\n'));
    }

    /// Prints a line of data.
    pub(crate) fn line(&self, text: &str) {
        written(writeln!(anstream::stdout().lock(), "{text}"));
    }

    /// Whether data is printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a line of data that does not end; false when nobody reads any more.
    pub(crate) fn streamed(&self, text: &str) -> bool {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
    }

    /// Prints bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        written(io::stdout().lock().write_all(bytes));
    }

    /// Prints a remark, which is no data.
    pub(crate) fn remark(&self, text: &str) {
        written(writeln!(anstream::stderr().lock(), "{text}"));
    }

    /// Prints why a command failed, and says how it ends.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        let mut text = format!("{}: {}", paint(Tone::Bad, "error"), failure.message);
        if let Some(help) = &failure.help {
            text.push_str(&format!("\n {} {help}", paint(Tone::Dim, "what to do:")));
        }
        self.remark(&text);
        failure.exit
    }
}

/// A table as `kubectl` prints them, wrapped to the terminal if there is one.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().map(|title| title.to_uppercase()));
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Nobody reads any more: there is nobody to tell either.
fn written(result: io::Result<()>) {
    drop(result);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_head_and_no_trailing_blanks() {
        let text = table(&["drill", "state"], [vec!["payments".into(), "open".into()]]);
        assert_eq!(text, "DRILL     STATE\npayments  open");
    }
}
