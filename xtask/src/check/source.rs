//! What the layout rules look at and what they find.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::{cargo, process};

/// A text file of the repository.
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl SourceFile {
    /// Whether the name ends in `.` and one of these.
    pub fn is(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Whether it lies in one of these folders (or is one of these files, or begins like them).
    pub fn under(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.path.starts_with(prefix))
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// A finding in this file.
    pub fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }
}

/// A rule that is broken, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// The file, relative to the root.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Every text file that is, or would be, committed. Bytes that are not UTF-8 are no text.
///
/// # Errors
/// git does not run or a file cannot be read.
pub fn files() -> Result<Vec<SourceFile>> {
    let root = cargo::root()?;
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut files = Vec::new();
    for path in process::output(&mut git)?.split_terminator('\0') {
        // A file removed but not yet staged is still listed; a link to a folder is no file.
        if !root.join(path).is_file() {
            continue;
        }
        if let Ok(text) = String::from_utf8(fs::read(root.join(path))?) {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

/// For the rules' tests: the lines of a rule's findings in one file.
#[cfg(test)]
pub fn findings(rule: fn(&[SourceFile]) -> Vec<Violation>, path: &str, text: &str) -> Vec<usize> {
    let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
    rule(&[file]).into_iter().map(|violation| violation.line).collect()
}
