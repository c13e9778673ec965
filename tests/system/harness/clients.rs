//! skopeo and podman. (docker is in `docker.rs`.)

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::images::sha256;
use super::process::run;
use super::scratch::Scratch;

/// An OCI layout that skopeo wrote.
pub struct Layout(PathBuf);

/// Copies an image by skopeo into an OCI layout in a folder of this name.
pub async fn skopeo_copy(scratch: &Scratch, name: &str, image: &str) -> Result<Layout> {
    let folder = scratch.folder(name)?;
    let (from, to) = (format!("docker://{image}"), format!("oci:{}:copied", folder.display()));
    run("skopeo", ["--insecure-policy", "copy", "--src-tls-verify=false", &from, &to]).await?;
    Ok(Layout(folder))
}

impl Layout {
    /// The digest of the manifest that was copied.
    pub fn manifest(&self) -> Result<String> {
        let index: Value = serde_json::from_slice(&fs::read(self.0.join("index.json"))?)?;
        index["manifests"][0]["digest"].as_str().map(str::to_owned).context("the layout has no manifest")
    }

    /// The digests of all blobs, sorted, each computed from the bytes that arrived.
    ///
    /// # Errors
    /// A blob is not what its name says.
    pub fn blobs(&self) -> Result<Vec<String>> {
        let mut digests = Vec::new();
        for entry in fs::read_dir(self.0.join("blobs/sha256"))? {
            let entry = entry?;
            let digest = sha256(&fs::read(entry.path())?);
            ensure!(
                digest == format!("sha256:{}", entry.file_name().display()),
                "{} is {digest}",
                entry.path().display()
            );
            digests.push(digest);
        }
        digests.sort();
        Ok(digests)
    }
}

/// podman with a store of its own, empty at first.
pub struct Podman {
    options: Vec<String>,
}

impl Podman {
    /// A store in a folder of this name.
    pub fn new(scratch: &Scratch, name: &str) -> Result<Self> {
        let folder = scratch.folder(name)?;
        let option = |flag: &str, path: &str| format!("--{flag}={}", folder.join(path).display());
        Ok(Podman {
            options: vec![option("root", "root"), option("runroot", "run"), "--storage-driver=vfs".to_owned()],
        })
    }

    async fn podman(&self, args: &[&str]) -> Result<String> {
        run("podman", self.options.iter().map(String::as_str).chain(args.iter().copied())).await
    }

    /// Pulls an image; returns the digest that podman gives it.
    pub async fn pull(&self, image: &str) -> Result<String> {
        self.podman(&["pull", "--quiet", "--tls-verify=false", image]).await?;
        let digest = self.podman(&["image", "inspect", "--format={{.Digest}}", image]).await?;
        Ok(digest.trim().to_owned())
    }
}
