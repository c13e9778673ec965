//! Programs: run to their end, or kept running and ended with the test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How much of a log a failed test shows.
const TAIL_LINES: usize = 60;

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Errors
/// It fails (the error has its standard error) or takes longer than two minutes.
pub async fn run<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args);
    output(command).await
}

/// The same of a command with an environment of its own.
///
/// # Errors
/// As [`run`].
pub async fn output(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    let output = timeout(Duration::from_secs(120), command.output()).await;
    let output = output.map_err(|_| anyhow!("took over two minutes: {shown}"))?.with_context(|| shown.clone())?;
    if !output.status.success() {
        bail!("{shown}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program that runs until it is stopped, at the latest with this value. Its standard error goes to a file, whose end is
/// printed then, unless the test has passed.
pub struct Server {
    name: &'static str,
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Server {
    /// Starts it, with its standard error appended to `log`.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().with_context(|| format!("cannot start {:?}", command.as_std()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let stdin = child.stdin.take();
        Ok(Server { name, child, stdout: BufReader::new(stdout).lines(), stdin, log: log.to_owned() })
    }

    /// Its standard input.
    pub fn stdin(&mut self) -> Result<&mut ChildStdin> {
        self.stdin.as_mut().context("standard input is closed")
    }

    /// Waits for a line on standard output that `wanted` makes something of.
    ///
    /// # Errors
    /// It ends before, or does not print it in time.
    pub async fn line<T>(&mut self, patience: Duration, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let name = self.name;
        let search = async {
            while let Some(line) = self.stdout.next_line().await? {
                if let Some(found) = wanted(&line) {
                    return Ok(found);
                }
            }
            bail!("{name} ended: {}", self.child.wait().await?)
        };
        timeout(patience, search).await.map_err(|_| anyhow!("{name} is not ready after {} s", patience.as_secs()))?
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Errors
    /// It does not end within 20 seconds.
    pub async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal);
        let ended = timeout(Duration::from_secs(20), self.child.wait()).await;
        Ok(ended.map_err(|_| anyhow!("{} does not end on {signal}", self.name))??)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.id() {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
    }

    /// Whether it ended within a few seconds.
    fn ended(&mut self, patience: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            #[allow(clippy::disallowed_methods, reason = "drop cannot await")]
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        self.signal(Signal::SIGTERM);
        if !self.ended(Duration::from_secs(10)) {
            self.signal(Signal::SIGKILL);
            self.ended(Duration::from_secs(2));
        }
        if super::PASSED.get() {
            return;
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        eprintln!("--- the end of {}'s log\n{}\n---", self.name, tail.join("\n"));
    }
}
