//! `cargo xtask up`: build crowsnest and become it.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{Passed, cargo};

/// Arguments of `cargo xtask up`.
#[derive(Args)]
pub struct UpArgs {
    /// Follow the public network instead of a demo network on this machine
    #[arg(long)]
    live: bool,

    /// Address and port to serve on
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDR:PORT")]
    listen: SocketAddr,

    /// Folder for everything crowsnest keeps on disk; .crowsnest, or with --live .crowsnest/live
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Begin with an empty data folder
    #[arg(long)]
    fresh: bool,

    /// Build with optimisations: slower to build, faster to run
    #[arg(long)]
    release: bool,
}

/// Builds crowsnest and replaces this process by it, so that signals reach it and nothing else is left running.
///
/// # Errors
/// It does not build or cannot be started.
pub fn run(args: &UpArgs) -> Result<Passed> {
    println!("Building crowsnest; the first build takes a few minutes.");
    let built = cargo::build(&build_args(args))?;
    let program = built.program("crowsnest")?;
    let mut crowsnest = Command::new(program);
    // An index is of one network.
    let usual = if args.live { ".crowsnest/live" } else { ".crowsnest" };
    let data_dir = args.data_dir.clone().unwrap_or_else(|| usual.into());
    crowsnest.args(["up", "--listen", &args.listen.to_string(), "--data-dir"]).arg(data_dir);
    crowsnest.args((!args.live).then_some("--demo")).args(args.fresh.then_some("--fresh"));
    let error = crowsnest.exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

fn build_args(args: &UpArgs) -> Vec<&'static str> {
    let mut build = vec!["--package", "crowsnest", "--bin", "crowsnest"];
    if !args.live {
        build.extend(["--features", "devnet"]);
    }
    if args.release {
        build.push("--release");
    }
    build
}
