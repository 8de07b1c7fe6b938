//! How a command ends: its exit code, and what is said when it could not do what was asked.

use std::process::ExitCode;

use pulldrill_lab::{ErrorClass, LabError};

/// The exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Yes, done, solved.
    Yes,
    /// No, not solved, not in time.
    No,
    /// The command was used wrongly.
    Usage,
    /// The lab or the machine is at fault.
    Infrastructure,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Infrastructure => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that could not do what was asked: what happened, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), help: None }
    }

    pub(crate) fn infrastructure(message: impl Into<String>) -> Self {
        Self { exit: Exit::Infrastructure, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        match error.class() {
            ErrorClass::Use => Self::usage(error.to_string()),
            ErrorClass::Infrastructure => Self::infrastructure(error.to_string()),
        }
    }
}

/// The usual result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;
