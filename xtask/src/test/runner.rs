//! Running the tests of a suite: by cargo-nextest where it is installed, else by `cargo test`.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result};

use super::counts::Counts;
use super::suites::{Suite, Tests};
use crate::cargo::{self, cargo};
use crate::process;

/// What runs the tests.
pub enum Runner {
    /// `cargo nextest run`: a process a test, time limits from `.config/nextest.toml`.
    Nextest,
    /// `cargo test`.
    Libtest,
}

impl Runner {
    /// The better one of those installed.
    pub fn detect() -> Self {
        if cargo::has_subcommand("nextest") { Runner::Nextest } else { Runner::Libtest }
    }

    /// Runs a suite with `program` as the crowsnest under test. A suite in which nothing ran has failed.
    ///
    /// # Errors
    /// The runner cannot be started.
    pub fn run(&self, suite: &Suite, program: &Path) -> Result<(bool, Counts)> {
        let mut command = self.command(&suite.tests)?;
        command.env("CROWSNEST_BIN", program);
        let (succeeded, counts) = run_and_count(&mut command)?;
        Ok((succeeded && counts.passed > 0, counts))
    }

    fn command(&self, tests: &Tests) -> Result<Command> {
        let mut command = cargo()?;
        match (self, tests) {
            // nextest runs no doctests.
            (_, Tests::Docs) => command.args(["test", "--doc", "--no-fail-fast"]).args(cargo::TESTED),
            (Runner::Nextest, Tests::Unit) => nextest(&mut command, "not package(crowsnest-tests)"),
            (Runner::Nextest, Tests::System(module)) => {
                nextest(&mut command, &format!("package(crowsnest-tests) & test(/^{module}::/)"))
            }
            // `--lib --bins --tests` leaves out the doctests.
            (Runner::Libtest, Tests::Unit) => command
                .args(["test", "--no-fail-fast", "--lib", "--bins", "--tests", "--exclude", "crowsnest-tests"])
                .args(cargo::TESTED),
            // Each of these runs servers and container clients: one at a time.
            (Runner::Libtest, Tests::System(module)) => command
                .args(["test", "--test", "system"])
                .args(cargo::TESTED)
                .args(["--", "--test-threads", "1", &format!("{module}::")]),
        };
        Ok(command)
    }
}

fn nextest<'a>(command: &'a mut Command, filter: &str) -> &'a mut Command {
    command.args(["nextest", "run", "--no-fail-fast"]).args(cargo::TESTED).args(["--filterset", filter])
}

/// Runs a command, passes its output on line by line, and counts the tests it tells of.
fn run_and_count(command: &mut Command) -> Result<(bool, Counts)> {
    let line = process::shown(command);
    println!("$ {line}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start {line}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let counts = thread::scope(|scope| {
        let errors = scope.spawn(|| pass_on(stderr, io::stderr()));
        let mut counts = pass_on(stdout, io::stdout());
        counts += errors.join().unwrap_or_default();
        counts
    });
    Ok((child.wait()?.success(), counts))
}

/// Copies lines until the end, adding up what they tell.
fn pass_on(from: Option<impl Read>, mut to: impl io::Write) -> Counts {
    let mut counts = Counts::default();
    let Some(from) = from else { return counts };
    for line in BufReader::new(from).split(b'\n').map_while(io::Result::ok) {
        counts += Counts::of_line(&String::from_utf8_lossy(&line));
        // Nobody may be listening any more; the tests go on.
        let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n"));
    }
    counts
}
