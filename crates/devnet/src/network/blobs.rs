use std::path::PathBuf;

use types::Digest;

use crate::{Error, Result};

/// Blobs and layers as files named by the hex of their sha256.
#[derive(Clone, Debug)]
pub(crate) struct BlobDir(PathBuf);

impl BlobDir {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&path).map_err(Error::file(&path))?;
        Ok(Self(path))
    }

    /// Stores by rename, so that a file with a digest's name is always whole.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::sha256(bytes);
        let path = self.0.join(digest.hex());
        if !path.exists() {
            let partial = self.0.join(format!("{}.{:?}.partial", digest.hex(), std::thread::current().id()));
            std::fs::write(&partial, bytes).map_err(Error::file(&partial))?;
            std::fs::rename(&partial, &path).map_err(Error::file(&path))?;
        }
        Ok(digest)
    }

    pub(crate) async fn get(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.0.join(digest.hex());
        tokio::fs::read(&path).await.map_err(Error::file(&path))
    }
}
