//! The command line. Each flag has an environment variable; the structs of one concern come from `service`.

use std::process::ExitCode;

use crate::failure::Failure;
use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use service::config::{
    AdminArgs, ArchiveArgs, DatabaseArgs, NetworkArgs, RegistryArgs, ServeArgs, SourceArgs, TelemetryArgs,
};
use types::Did;

/// An index, a web UI and an OCI pull API for container images published on the AT Protocol.
#[derive(Parser)]
#[command(name = "crowsnest", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run everything in one process, on one origin
    Up(Up),
    /// Follow the event streams and keep the index
    Indexer(IndexerAlone),
    /// Serve the pages and the JSON API
    Web(Web),
    /// Serve the OCI pull API, /v2/
    RegistryApi(RegistryApi),
    /// Bring the database to this version's schema
    Migrate(Read),
    /// Read every repository that the relay knows of, or the given ones, into the index
    Backfill(Backfill),
    /// Compare the index with the network, and mend what differs
    Reconcile(Reconcile),
    /// Print the digests of the records and of all that is made of them: equal indexes, equal digests
    Fingerprint(Fingerprint),
    /// Print what the index knows of itself
    Status(Read),
}

/// Flags of `up`.
#[derive(Args)]
pub struct Up {
    #[command(flatten)]
    pub indexer: Indexer,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Forget everything in the data folder first: the private database, the demo network, generated keys
    #[arg(long, conflicts_with = "database_url")]
    pub fresh: bool,
    /// Start a demo network on this machine and follow it instead of the public one
    #[cfg(feature = "devnet")]
    #[arg(long, conflicts_with_all = ["source", "plc_url", "relay_url", "handle_resolver_url"])]
    pub demo: bool,
}

/// Flags of `indexer`.
#[derive(Args)]
pub struct IndexerAlone {
    #[command(flatten)]
    pub indexer: Indexer,
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// Flags of whatever keeps the index.
#[derive(Args)]
pub struct Indexer {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub source: SourceArgs,
    /// How far records are checked, besides that each is hashed against its CID: `cid` (no further), `signed` (one in a hundred
    /// is compared with the commit that its account signed), `signed=<share>`, `signed=all`
    #[arg(long, env = "CROWSNEST_VERIFY", default_value = "cid", value_name = "HOW")]
    pub verify: indexer::Verify,
    #[command(flatten)]
    pub archive: ArchiveArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Flags of `web`.
#[derive(Args)]
pub struct Web {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Flags of `registry-api`.
#[derive(Args)]
pub struct RegistryApi {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Flags of the commands that need no more than the database.
#[derive(Args)]
pub struct Read {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `backfill`.
#[derive(Args)]
pub struct Backfill {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Account to read; repeat it to name others; without it, all that the relay lists
    #[arg(long, value_name = "DID")]
    pub did: Vec<Did>,
    /// Leave the work to the running indexer, and return at once
    #[arg(long)]
    pub no_wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `reconcile`.
#[derive(Args)]
pub struct Reconcile {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Account to compare; repeat it to name others; without it, all that the index knows and the relay lists
    #[arg(long, value_name = "DID")]
    pub did: Vec<Did>,
    /// Only tell what differs: exit code 1 if anything does
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `fingerprint`.
#[derive(Args)]
pub struct Fingerprint {
    #[command(flatten)]
    pub read: Read,
    /// Make the digest of the records anew from the ledger, and print the digest of each table
    #[arg(long)]
    pub full: bool,
}

/// Parses the command line. Help and version are printed here; a wrong one is reported in one line, exit code 2.
pub fn parse() -> Result<Command, ExitCode> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.command),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            // A closed pipe is no failure of ours.
            let _ = error.print();
            Err(ExitCode::SUCCESS)
        }
        Err(error) => {
            let given = std::env::args().nth(1).unwrap_or_default();
            Err(Failure::setup(one_line(&error, &given)).report())
        }
    }
}

/// Clap's message without its usage text, on one line; `given` is the first argument, the sub-command most likely.
fn one_line(error: &clap::Error, given: &str) -> String {
    let rendered = error.render().to_string();
    let message: Vec<&str> = rendered
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let message = message.join(" ");
    let known = Cli::command().find_subcommand(given).is_some();
    let of = if known { format!("{given} ") } else { String::new() };
    format!("{}; see crowsnest {of}--help", message.strip_prefix("error: ").unwrap_or(&message))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, one_line};

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn mistakes_are_one_line() {
        for (args, part, help) in [
            (vec!["crowsnest", "up", "--nonsense"], "--nonsense", "see crowsnest up --help"),
            (vec!["crowsnest", "up", "--listen", "here"], "here", "see crowsnest up --help"),
            (vec!["crowsnest", "up", "--source", "https://x.example/"], "x.example", "see crowsnest up --help"),
            (vec!["crowsnest", "backfill", "--did", "x"], "--did", "see crowsnest backfill --help"),
            (
                vec!["crowsnest", "up", "--fresh", "--database-url", "postgres://x"],
                "--fresh",
                "see crowsnest up --help",
            ),
            (vec!["crowsnest", "sail"], "sail", "see crowsnest --help"),
        ] {
            let line = one_line(&Cli::try_parse_from(&args).err().unwrap(), args[1]);
            assert!(line.contains(part) && line.ends_with(help) && !line.contains('\n'), "{line}");
        }
    }
}
