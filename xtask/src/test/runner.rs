//! Running the tests of a suite: by cargo-nextest where it is installed, else by `cargo test`.

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result};

use super::counts::{CountLine, Counts};
use super::fuzz;
use super::suites::{Suite, Tests};
use crate::cargo::{self, Built, cargo};
use crate::process;

/// Runs suites from what has been built.
pub struct Runner {
    built: Built,
    nextest: bool,
    /// Whether tests that have a long version run that.
    full: bool,
}

impl Runner {
    /// By nextest, if it is installed: a process a test, and time limits from `.config/nextest.toml`.
    pub fn new(built: Built, full: bool) -> Self {
        Runner { built, nextest: cargo::has_subcommand("nextest"), full }
    }

    /// Runs a suite with the crowsnest that was built. A suite in which nothing ran has failed.
    ///
    /// # Errors
    /// The runner cannot be started.
    pub fn run(&self, suite: &Suite) -> Result<(bool, Counts)> {
        let Some((mut command, count)) = self.command(&suite.tests)? else { return fuzz::run() };
        command.env("CROWSNEST_BIN", self.built.program("crowsnest")?);
        if self.full {
            command.env("CROWSNEST_TEST_FULL", "1");
        }
        let (succeeded, counts) = run_and_count(&mut command, count)?;
        Ok((succeeded && counts.passed > 0, counts))
    }

    /// The command for a suite, and how its output is counted; `None` for what is built in another way.
    fn command(&self, tests: &Tests) -> Result<Option<(Command, CountLine)>> {
        Ok(Some(match tests {
            Tests::Fuzz => return Ok(None),
            // nextest runs no doctests.
            Tests::Docs => (doctests()?, Counts::of_libtest),
            Tests::Unit if self.nextest => (nextest("not package(crowsnest-tests)")?, Counts::of_nextest),
            Tests::Unit => (libtest()?, Counts::of_libtest),
            Tests::System(module) if self.nextest => {
                (nextest(&format!("package(crowsnest-tests) & test(/^{module}::/)"))?, Counts::of_nextest)
            }
            Tests::System(module) => {
                // Not by way of cargo: naming one test binary makes it select other features, and build much again.
                let mut system = Command::new(self.built.tests("system")?);
                // Each of these runs servers and container clients: one at a time.
                system.current_dir(cargo::root()?.join("tests")).args(["--test-threads", "1", &format!("{module}::")]);
                (system, Counts::of_libtest)
            }
        }))
    }
}

fn doctests() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "--doc", "--no-fail-fast"]).args(cargo::TESTED);
    Ok(command)
}

fn nextest(filter: &str) -> Result<Command> {
    let mut command = cargo()?;
    command.args(["nextest", "run", "--no-fail-fast"]).args(cargo::TESTED).args(["--filterset", filter]);
    Ok(command)
}

/// `--lib --bins --tests` leaves out the doctests.
fn libtest() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests", "--exclude", "crowsnest-tests"]);
    command.args(cargo::TESTED);
    Ok(command)
}

/// Runs a command, passes its output on line by line, and counts the tests it tells of.
fn run_and_count(command: &mut Command, count: CountLine) -> Result<(bool, Counts)> {
    let line = process::shown(command);
    println!("$ {line}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start {line}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let counts = thread::scope(|scope| {
        let errors = scope.spawn(|| pass_on(stderr, io::stderr(), count));
        let mut counts = pass_on(stdout, io::stdout(), count);
        counts += errors.join().unwrap_or_default();
        counts
    });
    Ok((child.wait()?.success(), counts))
}

/// Copies lines until the end, adding up what they tell.
fn pass_on(from: Option<impl Read>, mut to: impl io::Write, count: CountLine) -> Counts {
    let mut counts = Counts::default();
    let Some(from) = from else { return counts };
    for line in BufReader::new(from).split(b'\n').map_while(io::Result::ok) {
        counts += count(&String::from_utf8_lossy(&line));
        // Nobody may be listening any more; the tests go on.
        let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n"));
    }
    counts
}
