use std::{fmt::Display, process::ExitCode};

/// Why a command ended, and with which exit code.
#[derive(Debug)]
pub enum Failure {
    /// Unusable arguments or set-up: one line that says what to do, exit code 2.
    Setup(String),
    /// It ran and failed, or found a difference: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    /// A set-up failure.
    pub fn setup(message: impl Display) -> Self {
        Self::Setup(message.to_string())
    }

    /// Tells people on stderr, and returns the exit code.
    #[expect(clippy::print_stderr, reason = "the last word of a command-line program")]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Setup(message) => {
                eprintln!("crowsnest: {}", message.replace('\n', " "));
                ExitCode::from(2)
            }
            Self::Failed(error) => {
                eprintln!("crowsnest: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
