//! crowsnest: an index, a web UI and an OCI pull API for container images published on the AT Protocol.
//!
//! One program, a sub-command a service: `indexer` (events become rows), `web` (pages and JSON), `registry-api` (`/v2/`),
//! and `up`, which runs all three in one process on one origin. This crate parses flags and wires; the logic is in the
//! services' crates.

mod cli;
mod data_dir;
#[cfg(feature = "devnet")]
mod demo;
mod failure;
#[cfg(test)]
mod operations_tests;
mod repair;
mod report;
mod services;

use std::process::ExitCode;

use cli::Command;
use failure::Failure;
use service::shutdown;

/// Records are decoded on one thread and dropped on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    // One crypto provider for the whole process, before anything opens a connection.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| Failure::setup("a TLS crypto provider was installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Unoptimised futures are large, and nested ones are polled on the stack.
        .thread_stack_size(8 << 20)
        .build()
        .map_err(|error| Failure::setup(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let stop = shutdown::on_signal().map_err(|error| Failure::setup(format!("no signal handlers: {error}")))?;
        match command {
            Command::Up(args) => services::up(args, stop).await,
            Command::Indexer(args) => services::indexer(args, stop).await,
            Command::Web(args) => services::web(args, stop).await,
            Command::RegistryApi(args) => services::registry_api(args, stop).await,
            Command::Migrate(args) => report::migrate(args).await,
            Command::Backfill(args) => repair::backfill(args, stop).await,
            Command::Reconcile(args) => repair::reconcile(args, stop).await,
            Command::Fingerprint(args) => report::fingerprint(args).await,
            Command::Status(args) => report::status(args).await,
        }
    })
}
