//! The servers that are compared, each a process of its own on loopback.

use std::{env, fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{
    image::{ACCEPT, MANIFEST},
    seed::Seed,
};
use crate::process::{self, Served, folder, free_port, spawn};

/// How long a server may take to accept an image.
const PATIENCE: Duration = Duration::from_secs(60);

/// crowsnest's registry, and the indexer without which it would believe nothing that it has at hand.
pub async fn crowsnest(program: &Path, seed: &Seed) -> Result<Served> {
    let folder = folder()?;
    let data = folder.path().display().to_string();
    let served =
        process::crowsnest(program, "registry-api", &seed.database.url, &["--data-dir", &data], folder).await?;
    answers(served, seed).await
}

/// Bare axum that answers with the manifest.
pub async fn bare(seed: &Seed) -> Result<Served> {
    let digest = &seed.hot.digest;
    let headers = [
        format!("content-type: {MANIFEST}"),
        format!("docker-content-digest: {digest}"),
        format!("etag: \"{digest}\""),
        "cache-control: public, max-age=31536000, immutable".to_owned(),
    ];
    answers(process::bare(&seed.hot.bytes, &headers).await?, seed).await
}

/// Waits until it answers with the image.
async fn answers(served: Served, seed: &Seed) -> Result<Served> {
    served.answers(&seed.by_digest, &[ACCEPT], |body| body == seed.hot.bytes).await
}

/// Debian's docker-registry with the manifest in it, at [`Seed::by_digest`].
pub async fn docker_registry(seed: &Seed) -> Result<Served> {
    let folder = folder()?;
    let host = format!("127.0.0.1:{}", free_port()?);
    let (config, layout) = (folder.path().join("config.yml"), folder.path().join("layout"));
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nhttp: {{addr: '{host}'}}\nstorage:\n  \
         cache: {{blobdescriptor: inmemory}}\n  filesystem: {{rootdirectory: '{}'}}\n",
        folder.path().join("data").display()
    );
    fs::write(&config, text)?;
    seed.hot.write_layout(&layout)?;
    let mut registry = Command::new("docker-registry");
    registry.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
    let child = spawn(&mut registry)?;
    let served = Served::new(child, host, folder);
    push(&served.host, &layout, seed).await?;
    answers(served, seed).await
}

async fn push(host: &str, layout: &Path, seed: &Seed) -> Result<()> {
    let began = Instant::now();
    let name = seed.by_tag.trim_start_matches("/v2/").replace("/manifests/", ":");
    let (from, to) = (format!("oci:{}", layout.display()), format!("docker://{host}/{name}"));
    loop {
        let mut skopeo = Command::new("skopeo");
        skopeo.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--preserve-digests",
            "--dest-tls-verify=false",
            &from,
            &to,
        ]);
        let output = skopeo.output().await.context("cannot start skopeo")?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(began.elapsed() < PATIENCE, "docker-registry takes no image: {why}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// nginx with the manifest as a file, at [`Seed::by_digest`].
pub async fn nginx(seed: &Seed) -> Result<Served> {
    let folder = folder()?;
    let host = format!("127.0.0.1:{}", free_port()?);
    let root = folder.path().display();
    let file = folder.path().join(seed.by_digest.trim_start_matches('/'));
    fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
    fs::write(&file, &seed.hot.bytes)?;
    // Its workers run as nobody.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {root}/{name};"))
        .collect();
    let text = format!(
        "daemon off; {user} worker_processes auto; pid {root}/pid; error_log {root}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; keepalive_requests 100000000; {temporary} open_file_cache max=10;\n\
         default_type application/vnd.oci.image.manifest.v1+json; server {{ listen {host}; root {root}; }} }}\n"
    );
    let config = folder.path().join("nginx.conf");
    fs::write(&config, text)?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(&config).arg("-e").arg(folder.path().join("error.log"));
    nginx.env("PATH", format!("{}:/usr/sbin", env::var("PATH").unwrap_or_default()));
    let child = spawn(nginx.stdout(Stdio::null()).stderr(Stdio::null()))?;
    answers(Served::new(child, host, folder), seed).await
}
