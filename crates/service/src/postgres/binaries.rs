//! Finds Postgres's programs on this machine, or downloads them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::OLDEST_MAJOR;
use super::error::{Context as _, PostgresError};
use super::owner::Owner;
use super::place::Place;

/// A folder with `initdb` and `postgres` that the cluster's owner can run.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    bin: PathBuf,
    major: u32,
}

impl Binaries {
    /// The programs for `place`: of the version that made its cluster, or for a new one of the first found.
    pub(super) async fn find(place: &Place) -> Result<Self, PostgresError> {
        let made_by = version_of_cluster(place)?;
        let serves = |found: &Binaries| made_by.map_or(found.major >= OLDEST_MAJOR, |made_by| found.major == made_by);
        let local = candidates().into_iter().find_map(|bin| Binaries::at(bin, place.owner).filter(serves));
        if let Some(found) = local {
            return Ok(found);
        }
        if let Some(made_by) = made_by.filter(|made_by| *made_by < OLDEST_MAJOR) {
            return Err(PostgresError::OtherVersion { cluster: place.root().to_owned(), made_by });
        }
        let no_binaries = |reason| match made_by {
            Some(made_by) => PostgresError::OtherVersion { cluster: place.root().to_owned(), made_by },
            None => PostgresError::NoBinaries { oldest: OLDEST_MAJOR, reason },
        };
        let bin = super::download::binaries(place.owner, made_by).await.map_err(no_binaries)?;
        let unusable = format!("the programs in {} do not run here", bin.display());
        Binaries::at(bin, place.owner).filter(serves).ok_or_else(|| no_binaries(unusable))
    }

    /// The path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Whether the server was built to take a `setting=value`.
    pub(super) fn take(&self, place: &Place, setting: &str) -> bool {
        let mut command = place.owner.command(self.program("postgres"));
        command.arg("-D").arg(place.data()).args(["-c", setting, "-C", setting.split('=').next().unwrap_or_default()]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// The programs in `bin`, if the cluster's owner can run them. `postgres --version` prints
    /// `postgres (PostgreSQL) 15.7 (Debian …)`.
    fn at(bin: PathBuf, owner: Owner) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let output = owner.command(bin.join("postgres")).arg("--version").stdout(Stdio::piped()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let major = leading_number(text.split_whitespace().nth(2)?)?;
        Some(Binaries { bin, major })
    }
}

/// Folders where Postgres may be, the likelier first: `pg_config`'s, Debian's newest first, then `PATH`'s.
fn candidates() -> Vec<PathBuf> {
    let configured = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok();
    let configured = configured.and_then(|output| String::from_utf8(output.stdout).ok());
    let mut folders: Vec<PathBuf> = configured.iter().map(|text| PathBuf::from(text.trim())).collect();
    let versions: BTreeSet<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    folders.extend(versions.iter().rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))));
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The major version that made the cluster; none if it is still to be made.
fn version_of_cluster(place: &Place) -> Result<Option<u32>, PostgresError> {
    let file: &Path = &place.data().join("PG_VERSION");
    match fs::read_to_string(file) {
        Ok(text) => Ok(leading_number(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read", file),
    }
}

/// `15.7` → 15, `18beta1` → 18.
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}
