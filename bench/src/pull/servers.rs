//! The servers that are compared, each a process of its own on loopback.

use std::{env, fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{http::Connection, image::Image, seed::Seed};

const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9/";

/// A running server, killed with this value.
pub struct Served {
    child: Child,
    /// `127.0.0.1:PORT`
    pub host: String,
    _beside: Vec<Child>,
    _folder: TempDir,
}

impl Served {
    /// The number of its process.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("a server has ended")
    }

    /// Waits until it answers a path with the image.
    async fn answers(self, path: &str, image: &Image) -> Result<Self> {
        let began = Instant::now();
        loop {
            let asked = match Connection::open(&self.host).await {
                Ok(mut connection) => connection.get(path).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok((200, body)) if body == image.bytes => return Ok(self),
                _ if began.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
                Ok((status, body)) => bail!("{path}: {status}: {}", String::from_utf8_lossy(&body)),
                Err(error) => return Err(error.context(path.to_owned())),
            }
        }
    }
}

fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("crowsnest-bench-").tempdir()?)
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    command.spawn().with_context(|| format!("cannot start {shown}"))
}

/// The first line that a process prints.
async fn first_line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.context("a server does not start")??;
    line.context("a server ended")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// crowsnest's registry, and the indexer without which it would believe nothing that it has at hand.
pub async fn crowsnest(program: &Path, seed: &Seed) -> Result<Served> {
    let folder = folder()?;
    let database = ["--database-url", &seed.database.url];
    let network = ["--plc-url", NOBODY, "--relay-url", NOBODY, "--allow-private-network", "--log", "error"];
    let mut indexer = Command::new(program);
    indexer.arg("indexer").args(database).args(network).args(["--source", "ws://127.0.0.1:9/subscribe"]);
    let beside = vec![spawn(indexer.stdout(Stdio::null()).stderr(Stdio::null()))?];
    let mut registry = Command::new(program);
    registry.arg("registry-api").args(database).args(network).args(["--listen", "127.0.0.1:0", "--data-dir"]);
    let mut child = spawn(registry.arg(folder.path()).stdout(Stdio::piped()))?;
    let ready = first_line(&mut child).await?;
    let host = ready.strip_prefix("ready http://").with_context(|| format!("crowsnest says {ready}"))?.to_owned();
    let served = Served { child, host, _beside: beside, _folder: folder };
    served.answers(&seed.by_digest, &seed.hot).await
}

/// Bare axum: this program, with another sub-command.
pub async fn bare(seed: &Seed) -> Result<Served> {
    let folder = folder()?;
    let file = folder.path().join("manifest.json");
    fs::write(&file, &seed.hot.bytes)?;
    let mut child = spawn(Command::new(env::current_exe()?).arg("bare").arg(&file).stdout(Stdio::piped()))?;
    let host = first_line(&mut child).await?;
    Served { child, host, _beside: Vec::new(), _folder: folder }.answers(&seed.by_digest, &seed.hot).await
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
    let served = Served { child, host, _beside: Vec::new(), _folder: folder };
    push(&served.host, &layout, seed).await?;
    served.answers(&seed.by_digest, &seed.hot).await
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
    Served { child, host, _beside: Vec::new(), _folder: folder }.answers(&seed.by_digest, &seed.hot).await
}
