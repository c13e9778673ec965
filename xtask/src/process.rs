//! Running other programs.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The command as someone would type it, for headings and errors.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a command, its output passed through, and says whether it succeeded.
///
/// # Errors
/// It cannot be started.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    let line = shown(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    Ok(status.success())
}

/// Runs a command that others build on.
///
/// # Errors
/// It cannot be started or fails.
pub fn must_succeed(command: &mut Command) -> Result<()> {
    if !succeeds(command)? {
        bail!("failed: {}", shown(command));
    }
    Ok(())
}

/// What a command writes to its standard output.
///
/// # Errors
/// It cannot be started, fails, or writes something else than UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {line}"))?;
    if !output.status.success() {
        bail!("failed: {line}");
    }
    String::from_utf8(output.stdout).with_context(|| format!("not UTF-8: the output of {line}"))
}

/// Whether a program is on the `PATH`, or in the folders of system programs that an ordinary user's `PATH` leaves out.
pub fn installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).any(|folder| folder.join(OsStr::new(program)).is_file())
}
