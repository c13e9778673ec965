//! The data folder: `<data-dir>/postgres` (or a note of where the cluster is), `devnet/`, `devnet.json`, generated keys, and
//! `up.lock` of whoever runs everything from it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use service::{Postgres, config::DatabaseArgs};

use crate::failure::Failure;

/// What `--fresh` deletes, besides the cluster. Nothing else in the folder is touched: it may be anybody's folder.
const OURS: [&str; 3] = ["devnet", "devnet.json", "token-key.pem"];

/// Makes the folder, if it is not there.
pub fn make(data_dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(data_dir).map_err(|error| {
        Failure::setup(format!(
            "cannot make the data folder {}: {error}; choose another with --data-dir",
            data_dir.display()
        ))
    })
}

/// Takes the folder for this `crowsnest up`, until the file is dropped or the process ends in any way. Commands that read and
/// mend an index work beside it.
pub fn take(data_dir: &Path) -> Result<File, Failure> {
    let path = data_dir.join("up.lock");
    let unusable = |error| Failure::setup(format!("cannot lock {}: {error}", path.display()));
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Whoever has just taken it may not have said so yet.
            file.read_to_string(&mut pid).ok();
            let who = if pid.is_empty() { String::new() } else { format!(" (process {})", pid.trim()) };
            return Err(Failure::setup(format!(
                "another crowsnest{who} uses the data folder {} already: stop it, or choose another with --data-dir",
                data_dir.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(unusable)?;
    Ok(file)
}

/// The file that keeps the key which signs the registry's tokens.
pub fn token_key(data_dir: &Path) -> PathBuf {
    data_dir.join("token-key.pem")
}

/// Where scripts find the demo network.
#[cfg(feature = "devnet")]
pub fn devnet_json(data_dir: &Path) -> PathBuf {
    data_dir.join("devnet.json")
}

/// Refuses to look at an index that is not there, rather than make an empty one and tell of that.
pub fn must_have_index(database: &DatabaseArgs) -> Result<(), Failure> {
    let there = |name: &str| database.data_dir.join(name).exists();
    if database.database_url.is_some() || there("postgres") || there("postgres.location") {
        return Ok(());
    }
    let folder = database.data_dir.display();
    Err(Failure::setup(format!(
        "there is no index in {folder}: run crowsnest up first, or name its folder with --data-dir"
    )))
}

/// Refuses to follow one network with the index of another: each would find that the other's accounts do not exist.
pub fn must_be_of(database: &DatabaseArgs, demo: bool) -> Result<(), Failure> {
    if database.database_url.is_some() || must_have_index(database).is_err() {
        return Ok(());
    }
    let there = |name: &str| database.data_dir.join(name).exists();
    let holds = match demo {
        false if there("devnet.json") => "the demo's index: add --demo",
        true if !there("devnet.json") && !there("devnet") => {
            "the index of another network than the demo: leave --demo out"
        }
        _ => return Ok(()),
    };
    let folder = database.data_dir.display();
    Err(Failure::setup(format!(
        "{folder} holds {holds}, choose another folder with --data-dir, or forget it with --fresh"
    )))
}

/// Forgets everything that crowsnest keeps in the folder.
pub async fn forget(data_dir: &Path) -> Result<(), Failure> {
    Postgres::destroy(data_dir).await.map_err(Failure::setup)?;
    for name in OURS {
        let path = data_dir.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::setup(format!("cannot delete {}: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use service::config::DatabaseArgs;

    use super::{Failure, forget, must_be_of, take};

    #[test]
    fn an_index_is_of_one_network() {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseArgs { database_url: None, data_dir: folder.path().to_owned() };
        let refused = |demo| match must_be_of(&database, demo) {
            Err(Failure::Setup(why)) => why,
            _ => String::new(),
        };
        assert_eq!((refused(true), refused(false)), (String::new(), String::new()));
        std::fs::create_dir(folder.path().join("postgres")).unwrap();
        assert_eq!(refused(false), "");
        assert!(refused(true).contains("holds the index of another network"), "{}", refused(true));
        std::fs::write(folder.path().join("devnet.json"), "{}").unwrap();
        assert_eq!(refused(true), "");
        assert!(refused(false).contains("holds the demo's index: add --demo"), "{}", refused(false));
    }

    #[tokio::test]
    async fn fresh_spares_what_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["devnet.json", "thesis.txt"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.path().join("devnet")).unwrap();
        forget(folder.path()).await.unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there("thesis.txt") && !there("devnet") && !there("devnet.json"));
    }

    #[test]
    fn one_at_a_time_has_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let taken = take(folder.path()).unwrap();
        let Err(Failure::Setup(why)) = take(folder.path()) else { panic!("two have it") };
        let pid = std::process::id();
        assert!(why.contains(&format!("(process {pid}) uses the data folder {}", folder.path().display())), "{why}");
        drop(taken);
        take(folder.path()).unwrap();
    }
}
