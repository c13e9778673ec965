use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use p256::ecdsa::SigningKey;
use tempfile::NamedTempFile;

/// Why there is no key to sign tokens with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{} cannot be read or made", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Others may read the file.
    #[error("{} can be read by others: chmod 600 it, or delete it if they may have, and a new one is made", .0.display())]
    Open(PathBuf),
    /// The file holds something else.
    #[error("{} holds no P-256 key in hex: delete it, and a new one is made", .0.display())]
    Malformed(PathBuf),
}

/// A key that lives as long as the process.
pub(super) fn random() -> SigningKey {
    loop {
        // All but a few of the 2^256 numbers are keys.
        if let Ok(key) = SigningKey::from_slice(&rand::random::<[u8; 32]>()) {
            return key;
        }
    }
}

/// Reads the key, making it first if it is not there. It appears whole or not at all, readable by us alone, and of several
/// processes that make it at once one wins.
pub(super) fn load_or_create(path: &Path) -> Result<SigningKey, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if !path.exists() {
        create(path).map_err(failed)?;
    }
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let bytes = hex::decode(text.trim()).ok();
    bytes.and_then(|bytes| SigningKey::from_slice(&bytes).ok()).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", hex::encode(random().to_bytes()))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}
