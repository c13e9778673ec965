//! What the tests start, and stop again: crowsnest, the reference PDS, a hold, container clients.

pub mod clients;
pub mod containerd;
pub mod crowsnest;
pub mod demo;
pub mod devnet;
pub mod docker;
pub mod hold;
pub mod http;
pub mod images;
pub mod oras;
pub mod process;
pub mod publish;
pub mod recorder;
pub mod reference_pds;
pub mod scratch;
pub mod service_token;
pub mod storage;
pub mod xrpc;

use std::cell::Cell;
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Where storage is: another host than crowsnest's in the eyes of clients, which compare names and not ports when they
/// decide whether to send credentials on.
pub const STORAGE: &str = "127.0.0.2";

thread_local! {
    /// A test and what it starts live on one thread.
    static PASSED: Cell<bool> = const { Cell::new(false) };
}

/// Ends a test that has succeeded: the logs of what it started are of no interest.
pub fn passed() -> Result<()> {
    PASSED.set(true);
    Ok(())
}

/// Whether the long version of a test is wanted: `cargo xtask test --full`.
pub fn full() -> bool {
    std::env::var_os("CROWSNEST_TEST_FULL").is_some()
}

/// A port on loopback that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Asks until the answer is there; says how long that took.
///
/// # Errors
/// It is not there after `patience`, or asking fails.
pub async fn eventually<T, F>(what: &str, patience: Duration, mut ask: impl FnMut() -> F) -> Result<(T, Duration)>
where
    F: Future<Output = Result<Option<T>>>,
{
    let started = Instant::now();
    while started.elapsed() < patience {
        if let Some(answer) = ask().await? {
            return Ok((answer, started.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("not within {} s: {what}", patience.as_secs())
}
