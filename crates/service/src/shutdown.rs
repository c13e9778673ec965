//! One token that the whole process watches; SIGINT and SIGTERM cancel it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns the token that the first SIGINT or SIGTERM cancels. A second signal, from someone who does not want to wait,
/// ends the process at once with 128 and the signal's number. To be called in a tokio runtime, once.
///
/// # Errors
/// The signal handlers could not be installed.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let first = either(&mut interrupt, &mut terminate).await;
        tracing::info!(signal = first.as_raw_value(), "Shutting down; signal again to stop at once");
        cancelled.cancel();
        let second = either(&mut interrupt, &mut terminate).await;
        std::process::exit(128 + second.as_raw_value());
    });
    Ok(token)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    #[ignore = "run by the test below, as a process of its own"]
    async fn helper_is_signalled_twice() {
        if std::env::var_os("HELPER_IS_SIGNALLED").is_none() {
            return;
        }
        let token = on_signal().unwrap();
        assert!(!token.is_cancelled());
        raise(Signal::SIGTERM).unwrap();
        token.cancelled().await;
        raise(Signal::SIGINT).unwrap();
        std::future::pending().await
    }

    #[test]
    fn the_first_signal_cancels_the_token_and_the_second_ends_the_process() {
        let mut helper = Command::new(std::env::current_exe().unwrap());
        helper
            .args(["--exact", "shutdown::tests::helper_is_signalled_twice", "--ignored"])
            .env("HELPER_IS_SIGNALLED", "1")
            .stdout(Stdio::null());
        assert_eq!(helper.status().unwrap().code(), Some(130));
    }
}
