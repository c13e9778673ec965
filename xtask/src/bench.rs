//! `cargo xtask bench`: builds with optimisations and runs `crowsnest-bench`, which measures.

use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::test::tools::{self, Tool};
use crate::{Passed, Unusable, cargo, process};

/// The benchmarks there are, and what each needs.
const BENCHES: &[(&str, &[Tool])] = &[
    ("ingest", &[tools::POSTGRES]),
    ("pull", &[tools::POSTGRES, tools::WRK, tools::DOCKER_REGISTRY, tools::NGINX, tools::SKOPEO]),
    ("search", &[tools::POSTGRES]),
    ("web", &[tools::POSTGRES, tools::WRK]),
];

/// Arguments of `cargo xtask bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// Which one: ingest, pull, search, web (replay is still to come); all there are, if none is named
    name: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// What the bench itself takes, as in `-- --only apply,drop` or `-- --help`
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs benchmarks. That a figure misses its bar is printed, and no failure.
///
/// # Errors
/// [`Unusable`] if the named one does not exist; it does not build.
pub fn run(args: &BenchArgs) -> Result<Passed> {
    let is_wanted = |name: &str| args.name.as_deref().is_none_or(|wanted| wanted == name);
    let wanted: Vec<_> = BENCHES.iter().filter(|(name, _)| is_wanted(name)).collect();
    if wanted.is_empty() {
        let (name, all) = (args.name.as_deref().unwrap_or_default(), BENCHES.iter().map(|(name, _)| *name));
        let all = all.collect::<Vec<_>>().join(", ");
        return Err(Unusable(format!("no benchmark named {name} yet (there are: {all})")).into());
    }
    tools::ensure(wanted.iter().flat_map(|(_, needs)| *needs))?;
    let build = ["--release", "--package", "crowsnest", "--bin", "crowsnest", "--package", "crowsnest-bench"];
    let built = cargo::build_silently(&[&build[..], &["--bin", "crowsnest-bench"]].concat())?;
    let mut passed = true;
    for (name, _) in wanted {
        let mut bench = Command::new(built.program("crowsnest-bench")?);
        bench.arg(name).arg("--crowsnest").arg(built.program("crowsnest")?).args(args.json.then_some("--json"));
        bench.args(&args.rest);
        passed &= bench.status().with_context(|| format!("cannot start {}", process::shown(&bench)))?.success();
    }
    Ok(passed)
}
