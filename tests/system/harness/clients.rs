//! Clients without a daemon: skopeo, podman, buildah. (docker, containerd and oras have files of their own.)

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::images::sha256;
use super::process::{output, run};
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

/// Where an engine keeps credentials.
const AUTH: &str = "auth.json";

/// podman or buildah with a store of its own, empty at first.
pub struct Engine {
    program: &'static str,
    folder: PathBuf,
    registries: Option<PathBuf>,
}

impl Engine {
    /// podman, with a store in a folder of this name.
    pub fn podman(scratch: &Scratch, name: &str) -> Result<Self> {
        Self::new("podman", scratch, name)
    }

    /// buildah, with a store in a folder of this name.
    pub fn buildah(scratch: &Scratch, name: &str) -> Result<Self> {
        Self::new("buildah", scratch, name)
    }

    fn new(program: &'static str, scratch: &Scratch, name: &str) -> Result<Self> {
        let folder = scratch.folder(name)?;
        // Nobody's credentials but those of this test.
        fs::write(folder.join(AUTH), "{}")?;
        Ok(Engine { program, folder, registries: None })
    }

    /// With a `registries.conf` in the place of the machine's.
    pub fn configured(self, registries: &Path) -> Self {
        Engine { registries: Some(registries.to_owned()), ..self }
    }

    async fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(self.program);
        let option = |flag: &str, path: &str| format!("--{flag}={}", self.folder.join(path).display());
        command.args([option("root", "root"), option("runroot", "run"), "--storage-driver=vfs".to_owned()]).args(args);
        command.env("REGISTRY_AUTH_FILE", self.folder.join(AUTH));
        if let Some(path) = &self.registries {
            command.env("CONTAINERS_REGISTRIES_CONF", path);
        }
        output(command).await
    }

    /// Signs in to a registry.
    ///
    /// # Errors
    /// The registry does not take the password, among others.
    pub async fn login(&self, registry: &str, user: &str, password: &str) -> Result<()> {
        self.run(&["login", "--tls-verify=false", "--username", user, "--password", password, registry]).await.map(drop)
    }

    /// Pulls an image; returns the digest that it is given.
    pub async fn pull(&self, image: &str) -> Result<String> {
        self.run(&["pull", "--quiet", "--tls-verify=false", image]).await?;
        let digest = match self.program {
            "buildah" => self.run(&["inspect", "--type=image", "--format={{.FromImageDigest}}", image]).await?,
            _ => self.run(&["image", "inspect", "--format={{.Digest}}", image]).await?,
        };
        Ok(digest.trim().to_owned())
    }
}
