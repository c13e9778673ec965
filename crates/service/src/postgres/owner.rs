//! The user that Postgres runs as: ourselves, or for root (whom Postgres refuses) an unprivileged one.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, fchown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, getegid, geteuid};

use super::error::{Context as _, PostgresError};

/// A user and group, and whether a process of ours has to be started as them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    gid: u32,
    /// We are root and they are not.
    pub(super) dropped: bool,
}

impl Owner {
    /// Who owns a new cluster.
    pub(super) fn of_new_cluster() -> Result<Self, PostgresError> {
        if !geteuid().is_root() {
            return Ok(Owner { uid: geteuid().as_raw(), gid: getegid().as_raw(), dropped: false });
        }
        let user = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = user.filter(|user| !user.uid.is_root()).ok_or(PostgresError::NoUnprivilegedUser)?;
        Ok(Owner { uid: user.uid.as_raw(), gid: user.gid.as_raw(), dropped: true })
    }

    /// Who owns the cluster at `path`: root may act for anyone, others only for themselves.
    pub(super) fn of_existing(path: &Path) -> Result<Self, PostgresError> {
        let metadata = fs::symlink_metadata(path).context("cannot look at", path)?;
        let (us, owner) = (geteuid(), metadata.uid());
        if owner != us.as_raw() && !us.is_root() {
            return Err(PostgresError::WrongOwner { path: path.to_owned(), owner });
        }
        Ok(Owner { uid: owner, gid: metadata.gid(), dropped: us.is_root() })
    }

    /// A command that will run as this user, in its own process group (our terminal's Ctrl-C is not for it), without our
    /// environment and standard streams.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // `/`: our own working directory may be closed to them, and Postgres insists on knowing where it is.
        command.env_clear().env("LC_ALL", "C").current_dir("/").process_group(0);
        for variable in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.dropped {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes a folder that only this user may enter; one that is already there must be just that.
    pub(super) fn private_dir(self, path: &Path) -> Result<(), PostgresError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) if self.dropped => chown(path, Some(self.uid), Some(self.gid)).context("cannot give away", path),
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let metadata = fs::symlink_metadata(path).context("cannot look at", path)?;
                let ours = metadata.is_dir() && metadata.uid() == self.uid && metadata.mode() & 0o077 == 0;
                if ours { Ok(()) } else { Err(PostgresError::NotPrivate { path: path.to_owned(), owner: self.uid }) }
            }
            Err(error) => Err(error).context("cannot create", path),
        }
    }

    /// Makes our own folder that this user may pass through, and nobody else.
    pub(super) fn passage(self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)?;
        if self.dropped {
            chown(path, None, Some(self.gid))?;
        }
        fs::set_permissions(path, Permissions::from_mode(if self.dropped { 0o710 } else { 0o700 }))
    }

    /// Writes a file that only this user (and root) may read. It replaces what stands there and never follows a link:
    /// root must not be led astray by whoever owns the folder.
    pub(super) fn private_file(self, path: &Path, content: &[u8]) -> Result<(), PostgresError> {
        let write = || {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
            file.write_all(content)?;
            if self.dropped {
                fchown(file.as_file(), Some(self.uid), Some(self.gid))?;
            }
            file.persist(path).map_err(io::Error::from)
        };
        write().map(drop).context("cannot write", path)
    }

    /// The first folder on the way to `path`, itself included, that this user may not pass.
    pub(super) fn blocked_at(self, path: &Path) -> io::Result<Option<PathBuf>> {
        if !self.dropped {
            return Ok(None);
        }
        let mut way: Vec<_> = path.ancestors().collect();
        way.reverse();
        for folder in way {
            if !self.may_pass(&fs::metadata(folder)?) {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok(None)
    }

    fn may_pass(self, folder: &Metadata) -> bool {
        let bit = match folder {
            folder if folder.uid() == self.uid => 0o100,
            folder if folder.gid() == self.gid => 0o010,
            _ => 0o001,
        };
        folder.mode() & bit != 0
    }
}
