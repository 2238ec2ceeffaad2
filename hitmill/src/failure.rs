//! How a failure is told: one line on standard error, and an exit code that a script can go by.

use std::io::ErrorKind;
use std::process::ExitCode;

use thiserror::Error;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// The command was asked for in a wrong way: the command line has to change.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Prints the error, if there is one, and gives the exit code.
pub(crate) fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if reader_left(&error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
}

/// `hitmill ... | head` ends when head has seen enough. That is no failure.
fn reader_left(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|e| e.io_error_kind() == Some(ErrorKind::BrokenPipe))
    })
}
