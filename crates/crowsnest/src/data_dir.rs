//! The data folder: `<data-dir>/postgres` (or a note of where the cluster is), `devnet/`, `devnet.json`, generated keys.

use std::{
    fs, io,
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
    use super::forget;

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
}
