//! The fuzz targets: built with coverage counters, and each run for a minute.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::counts::Counts;
use crate::cargo::{self, cargo};
use crate::process;

/// What `cargo fuzz --sanitizer none` has rustc do; these flags need no nightly.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// For each target: a minute in all, ten seconds for an input, and memory far beyond what an input may take (64 MB, which the
/// targets themselves measure), for libFuzzer's own.
const LIMITS: [&str; 5] =
    ["-max_total_time=60", "-timeout=10", "-rss_limit_mb=1024", "-max_len=65536", "-print_final_stats=1"];

/// Builds all targets and runs them, one after the other. What one finds is left in `fuzz/artifacts`.
///
/// # Errors
/// They do not build, or cannot be started.
pub fn run() -> Result<(bool, Counts)> {
    let targets = targets()?;
    let host = host()?;
    let fuzz = cargo::root()?.join("fuzz");
    let mut build = cargo()?;
    // Named, so that build scripts are left without counters.
    build.current_dir(&fuzz).args(["build", "--release", "--bins", "--target", &host]);
    process::must_succeed(build.env("RUSTFLAGS", RUSTFLAGS))?;
    let mut counts = Counts::default();
    for target in targets {
        let (found, grown) = (fuzz.join("artifacts").join(&target), fuzz.join("target/corpus").join(&target));
        for folder in [&found, &grown] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let mut run = Command::new(fuzz.join("target").join(&host).join("release").join(&target));
        run.arg(grown).arg(fuzz.join("corpus").join(&target)).args(LIMITS);
        run.arg(format!("-artifact_prefix={}/", found.display())).arg("-verbosity=0");
        match process::succeeds(&mut run)? {
            true => counts.passed += 1,
            false => counts.failed += 1,
        }
    }
    Ok((counts.failed == 0, counts))
}

/// The names of the targets.
fn targets() -> Result<Vec<String>> {
    let folder = cargo::root()?.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// The machine that we build on, as rustc calls it.
fn host() -> Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_is_built() {
        let root = cargo::root().unwrap();
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            let seeds = fs::read_dir(root.join("fuzz/corpus").join(&target)).unwrap();
            assert!(seeds.count() > 0, "{target}");
        }
    }
}
