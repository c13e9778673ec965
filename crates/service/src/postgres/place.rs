//! Where the private cluster of a data folder lies on disk.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{Context as _, PostgresError};
use super::owner::Owner;

/// Stands in for data folders that the user Postgres runs as cannot reach. Root's own.
const STATE_DIR: &str = "/var/lib/crowsnest";

/// Names, in the data folder, the cluster that lies in [`STATE_DIR`].
const LOCATION_FILE: &str = "postgres.location";

/// Names, in a cluster that lies in [`STATE_DIR`], the data folder that it was last opened for.
const DATA_DIR_FILE: &str = "data-dir";

/// The longest path of a unix socket, `sockaddr_un` less its final zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// A folder with a cluster in it, and the user that Postgres runs as there. The folder itself is ours (root's, when
/// started as root), so that nothing in it can be replaced by a compromised Postgres.
#[derive(Clone, Debug)]
pub(super) struct Place {
    root: PathBuf,
    pub(super) owner: Owner,
}

impl Place {
    /// The cluster that `data_dir` (canonical) has, if it has one.
    pub(super) fn existing(data_dir: &Path) -> Result<Option<Self>, PostgresError> {
        let root = match recorded(data_dir)? {
            Some(root) => root,
            None => data_dir.join("postgres"),
        };
        let data = root.join("data");
        match fs::symlink_metadata(&data) {
            Ok(_) => Ok(Some(Place { root, owner: Owner::of_existing(&data)? })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let owner = fs::metadata(&root).map_or(0, |metadata| metadata.uid());
                Err(PostgresError::WrongOwner { path: root, owner })
            }
            Err(error) => Err(error).context("cannot look at", &data),
        }
    }

    /// Makes the folder for a new cluster: in `data_dir` (canonical) or, where the user that Postgres runs as cannot reach
    /// that, in [`STATE_DIR`].
    pub(super) fn create(data_dir: &Path) -> Result<Self, PostgresError> {
        let owner = Owner::of_new_cluster()?;
        let Some(blocked) = owner.blocked_at(data_dir).context("cannot look at", data_dir)? else {
            let place = Place { root: data_dir.join("postgres"), owner };
            owner.passage(&place.root).context("cannot create", &place.root)?;
            return Ok(place);
        };
        let place = Place { root: Path::new(STATE_DIR).join(hex::encode(rand::random::<[u8; 8]>())), owner };
        place.prepare_state().map_err(|source| PostgresError::Closed {
            owner: owner.uid,
            blocked: blocked.clone(),
            state: STATE_DIR.into(),
            source,
        })?;
        place.remember(data_dir)?;
        let location = data_dir.join(LOCATION_FILE);
        fs::write(&location, place.root.as_os_str().as_encoded_bytes()).context("cannot write", &location)?;
        tracing::info!(
            place = %place.root.display(), blocked = %blocked.display(), location = %location.display(),
            "Postgres cannot reach the data folder as an unprivileged user; its files lie elsewhere"
        );
        Ok(place)
    }

    /// Makes the folder in [`STATE_DIR`].
    fn prepare_state(&self) -> io::Result<()> {
        fs::create_dir_all(STATE_DIR)?;
        let state = fs::symlink_metadata(STATE_DIR)?;
        if !state.is_dir() || state.uid() != 0 {
            return Err(io::Error::other("it is not a folder of root's"));
        }
        fs::set_permissions(STATE_DIR, Permissions::from_mode(0o755))?;
        self.owner.passage(&self.root)
    }

    /// Postgres's own data folder (`PGDATA`).
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What the server logged since it was last started.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Our settings of the server, written anew at each start.
    pub(super) fn settings(&self) -> PathBuf {
        self.root.join("postgresql.conf")
    }

    /// The superuser's password.
    pub(super) fn password(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The folder that the cluster's files share.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the socket: beside the data, or where that path is too long for a socket (or has characters that
    /// Postgres would need quoted) in `/tmp`, under a name that only this place has.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let beside = self.root.join("socket");
        let bytes = beside.as_os_str().as_encoded_bytes();
        let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte));
        if plain && bytes.len() + "/.s.PGSQL.5432".len() <= LONGEST_SOCKET_PATH {
            return beside;
        }
        Path::new("/tmp").join(format!("crowsnest-{}", name_of(&self.root)))
    }

    /// Deletes every file of the cluster. Nothing may run on it.
    pub(super) fn delete(&self, data_dir: &Path) -> Result<(), PostgresError> {
        let socket = self.socket_dir();
        let location = data_dir.join(LOCATION_FILE);
        for folder in [&socket, &self.root] {
            gone(fs::remove_dir_all(folder)).context("cannot delete", folder)?;
        }
        gone(fs::remove_file(&location)).context("cannot delete", &location)
    }

    /// Notes for which data folder a cluster in [`STATE_DIR`] is, so that it is found when that folder is deleted by hand
    /// (and not taken for abandoned when it was only moved).
    pub(super) fn remember(&self, data_dir: &Path) -> Result<(), PostgresError> {
        if self.root.parent() != Some(Path::new(STATE_DIR)) {
            return Ok(());
        }
        self.owner.private_file(&self.root.join(DATA_DIR_FILE), data_dir.as_os_str().as_encoded_bytes())
    }

    /// The clusters in [`STATE_DIR`] that were made for a folder of this path. Once the folder has no cluster
    /// ([`Place::existing`]), they are left from one that was deleted by hand.
    pub(super) fn made_for(data_dir: &Path) -> Vec<Self> {
        let wanted = data_dir.as_os_str().as_encoded_bytes();
        let folders = fs::read_dir(STATE_DIR).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        folders
            .filter(|root| fs::read(root.join(DATA_DIR_FILE)).is_ok_and(|noted| noted == wanted))
            .filter_map(|root| Some(Place { owner: Owner::of_existing(&root).ok()?, root }))
            .collect()
    }
}

/// What [`LOCATION_FILE`] says, if it names a folder that we could have made: we run as root and delete it on demand.
fn recorded(data_dir: &Path) -> Result<Option<PathBuf>, PostgresError> {
    let file = data_dir.join(LOCATION_FILE);
    let root = match fs::read_to_string(&file) {
        Ok(text) => PathBuf::from(text.trim()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot read", &file),
    };
    let name = root.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let made_by_us = root.parent() == Some(Path::new(STATE_DIR)) && name.len() == 16 && hex::decode(name).is_ok();
    if !made_by_us {
        return Err(io::Error::other("it names no folder of crowsnest's")).context("cannot use", &file);
    }
    Ok(Some(root))
}

/// Sixteen hexadecimal digits that stand for a path.
fn name_of(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
