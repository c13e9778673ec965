//! OCI images from nothing: layers, configs, manifests and indexes
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md>).

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value, json};
use types::Digest;

use crate::{Error, Result};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Files' time in layers: a constant, so that equal files make equal layers.
const FILE_TIME: u64 = 1_767_225_600;

/// Bytes under a digest, for a hold.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

/// A layer, and the digest of its tar before compression.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) blob: Blob,
    pub(crate) diff_id: Digest,
    /// The line of a Dockerfile that made it.
    pub(crate) created_by: String,
}

/// A manifest or index, and what it points at on the hold.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) blob: Blob,
    pub(crate) json: Value,
    pub(crate) on_hold: Vec<Blob>,
}

/// What the config of an image says.
#[derive(Clone, Debug)]
pub(crate) struct ImageConfig<'a> {
    pub(crate) architecture: &'a str,
    pub(crate) created: &'a str,
    pub(crate) command: &'a str,
    pub(crate) ports: &'a [&'a str],
    pub(crate) labels: &'a Map<String, Value>,
}

impl Blob {
    pub(crate) fn new(media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.into(), digest: Digest::sha256(&bytes), bytes }
    }

    /// An OCI content descriptor.
    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// Files by path; those in a `bin` directory are executable. All belong to root.
pub(crate) fn tar_gz(files: &[(&str, Vec<u8>)]) -> Result<(Vec<u8>, Digest)> {
    let failed = || Error::file("layer.tar.gz");
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(if path.contains("bin/") { 0o755 } else { 0o644 });
        header.set_mtime(FILE_TIME);
        archive.append_data(&mut header, path, bytes.as_slice()).map_err(failed())?;
    }
    let tar = archive.into_inner().map_err(failed())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let bytes = gzip.write_all(&tar).and_then(|()| gzip.finish()).map_err(failed())?;
    Ok((bytes, Digest::sha256(&tar)))
}

pub(crate) fn layer(media_type: &str, created_by: &str, files: &[(&str, Vec<u8>)]) -> Result<Layer> {
    let (bytes, diff_id) = tar_gz(files)?;
    Ok(Layer { blob: Blob::new(media_type, bytes), diff_id, created_by: created_by.to_owned() })
}

/// An image's config, media type included.
pub(crate) fn config(media_type: &str, config: &ImageConfig<'_>, layers: &[Layer]) -> Blob {
    let ImageConfig { architecture, created, command, ports, labels } = config;
    let mut history: Vec<Value> =
        layers.iter().map(|layer| json!({"created": created, "created_by": layer.created_by})).collect();
    history.push(json!({"created": created, "created_by": format!("CMD [{command:?}]"), "empty_layer": true}));
    let ports: Map<String, Value> = ports.iter().map(|port| ((*port).to_owned(), json!({}))).collect();
    let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
    let json = json!({
        "created": created, "architecture": architecture, "os": "linux",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": [command],
                   "WorkingDir": "/", "Labels": labels, "ExposedPorts": ports},
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
    });
    Blob::new(media_type, json.to_string().into_bytes())
}

/// An image manifest over a config and blobs; `extra` adds `subject`, `artifactType` or `annotations`.
pub(crate) fn manifest(media_type: &str, config: Blob, layers: Vec<Blob>, extra: Value) -> Manifest {
    let mut json = json!({
        "schemaVersion": 2, "mediaType": media_type, "config": config.descriptor(),
        "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
    });
    extend(&mut json, extra);
    let blob = Blob::new(media_type, json.to_string().into_bytes());
    let on_hold = std::iter::once(config).chain(layers).collect();
    Manifest { blob, json, on_hold }
}

/// An index over descriptors.
pub(crate) fn index(manifests: &[Value], annotations: &Map<String, Value>) -> Manifest {
    let mut json = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    if !annotations.is_empty() {
        json["annotations"] = json!(annotations);
    }
    Manifest { blob: Blob::new(OCI_INDEX, json.to_string().into_bytes()), json, on_hold: Vec::new() }
}

fn extend(json: &mut Value, extra: Value) {
    if let (Some(json), Value::Object(extra)) = (json.as_object_mut(), extra) {
        json.extend(extra);
    }
}

impl Manifest {
    /// The descriptor by which an index points here.
    pub(crate) fn descriptor(&self, platform: Value) -> Value {
        let mut descriptor = self.blob.descriptor();
        descriptor["platform"] = platform;
        descriptor
    }
}
