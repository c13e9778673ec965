//! Downloads Postgres's programs, when the machine has none. The one request that does not go through `crates/outbound`:
//! it happens before anything of a stranger's is read, to the fixed address of the `postgresql_embedded` crate.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use postgresql_embedded::{PostgreSQL, Settings, VersionReq};

use super::owner::Owner;

/// The major version for new clusters.
const NEW_MAJOR: u32 = 17;

/// Downloads the programs once a user and returns their folder; says in one line why it could not.
pub(super) async fn binaries(owner: Owner, major: Option<u32>) -> Result<PathBuf, String> {
    let version = VersionReq::parse(&major.unwrap_or(NEW_MAJOR).to_string()).map_err(|error| error.to_string())?;
    let installation_dir = installation_dir(owner).ok_or("no home folder to keep it in")?;
    fs::create_dir_all(&installation_dir).map_err(|error| format!("{}: {error}", installation_dir.display()))?;
    // `setup` also runs initdb, as ourselves, unless the data folder has this file: we make the cluster, as its owner.
    let no_cluster = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::write(no_cluster.path().join("postgresql.conf"), "").map_err(|error| error.to_string())?;
    let settings = Settings {
        version,
        installation_dir,
        data_dir: no_cluster.path().to_owned(),
        password_file: no_cluster.path().join("password"),
        ..Settings::default()
    };
    tracing::info!(folder = %settings.installation_dir.display(), "No Postgres on this machine; downloading one");
    let mut postgres = PostgreSQL::new(settings);
    postgres.setup().await.map_err(|error| causes(&error))?;
    Ok(postgres.settings().binary_dir())
}

/// An error and what caused it, in one line.
fn causes(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(|error| error.to_string().replace('\n', " ")).collect::<Vec<_>>().join(": ")
}

/// A folder that the owner of the cluster can read.
fn installation_dir(owner: Owner) -> Option<PathBuf> {
    if owner.dropped {
        return Some(PathBuf::from("/var/lib/crowsnest/dist"));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join(Path::new("crowsnest/postgres")))
}
