//! Images that run: a base, a program that greets, and something to weigh.

use serde_json::{Map, Value, json};

use super::{
    dice::Dice,
    elf,
    oci::{
        self, DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, ImageConfig, Layer, Manifest, OCI_CONFIG, OCI_LAYER,
        OCI_MANIFEST,
    },
};
use crate::Result;

/// The system an image is built on; its layer is the same in every image of an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Alpine,
    Debian,
    Distroless,
}

/// One architecture of one version.
#[derive(Clone, Debug)]
pub(crate) struct Build<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) greeting: &'a str,
    pub(crate) base: Base,
    pub(crate) architecture: &'a str,
    pub(crate) created: &'a str,
    pub(crate) ports: &'a [&'a str],
    pub(crate) annotations: &'a Map<String, Value>,
    /// Bytes of payload besides the program.
    pub(crate) weight: usize,
    /// In docker's media types rather than OCI's.
    pub(crate) docker: bool,
}

impl Base {
    const fn name(self) -> &'static str {
        match self {
            Self::Alpine => "alpine",
            Self::Debian => "debian",
            Self::Distroless => "distroless",
        }
    }

    fn layer(self, media_type: &str, architecture: &str) -> Result<Layer> {
        let (pretty, id, weight) = match self {
            Self::Alpine => ("Alpine Linux v3.22", "3.22.1", 90_000),
            Self::Debian => ("Debian GNU/Linux 13 (trixie)", "13", 240_000),
            Self::Distroless => ("Distroless", "12", 24_000),
        };
        let name = self.name();
        let release = format!("PRETTY_NAME=\"{pretty}\"\nID={name}\nVERSION_ID={id}\n");
        let mut library = Dice::new(0, &format!("{name} {architecture}"));
        let files = [
            ("etc/os-release", release.into_bytes()),
            ("etc/passwd", b"root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n".to_vec()),
            ("usr/lib/libc.so.6", library.bytes(weight)),
        ];
        oci::layer(media_type, &format!("ADD {name}-{id}-{architecture}.tar.xz /"), &files)
    }
}

impl Build<'_> {
    /// The path of the image's program.
    pub(crate) fn command(&self) -> String {
        let program = self.name.rsplit('/').next().unwrap_or(self.name).to_lowercase();
        format!("/usr/bin/{program}")
    }

    pub(crate) fn image(&self) -> Result<Manifest> {
        let (manifest_type, config_type, layer_type) = match self.docker {
            true => (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
            false => (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER),
        };
        let command = self.command();
        let payload = Dice::new(0, &format!("{} {} {}", self.name, self.version, self.architecture)).bytes(self.weight);
        let files = [
            (&command[1..], elf::greeting(self.architecture, self.greeting)),
            ("usr/share/data.bin", payload),
            ("usr/share/VERSION", format!("{}\n", self.version).into_bytes()),
        ];
        let layers = [
            self.base.layer(layer_type, self.architecture)?,
            oci::layer(layer_type, &format!("COPY --from=build /out/ / # {}", self.version), &files)?,
        ];
        let config = ImageConfig {
            architecture: self.architecture,
            created: self.created,
            command: &command,
            ports: self.ports,
            labels: self.annotations,
        };
        let config = oci::config(config_type, &config, &layers);
        let extra = if self.annotations.is_empty() { json!({}) } else { json!({"annotations": self.annotations}) };
        let [base, program] = layers;
        Ok(oci::manifest(manifest_type, config, vec![base.blob, program.blob], extra))
    }
}
