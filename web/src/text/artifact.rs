//! What an artifact is, in words.

use serde::Deserialize;
use store::queries::{LayerView, ManifestView, Referrer};

/// Names a manifest by its artifact type, its configuration's type or its layers' types.
pub fn name(manifest: &ManifestView, layers: &[LayerView]) -> &'static str {
    let declared = manifest.artifact_type.iter().chain(&manifest.config_media_type).map(String::as_str);
    let mut types = declared.chain(layers.iter().map(|layer| layer.media_type.as_str()));
    types.find_map(known).unwrap_or(if manifest.kind == "index" { "Image for several platforms" } else { "Image" })
}

/// Whether it is for Helm, by its configuration's type.
pub fn is_helm_chart(manifest: &ManifestView) -> bool {
    manifest.config_media_type.as_deref() == Some("application/vnd.cncf.helm.config.v1+json")
}

/// Names what is about another manifest, by the same types.
pub fn referrer(referrer: &Referrer) -> &'static str {
    let layers = layer_types(&referrer.bytes);
    let declared = referrer.artifact_type.iter().chain(&referrer.config_media_type).chain(&layers);
    declared.map(String::as_str).find_map(known).unwrap_or("Artifact")
}

fn layer_types(manifest: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        layers: Vec<Layer>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Layer {
        media_type: String,
    }
    serde_json::from_slice(manifest)
        .map(|manifest: Manifest| manifest.layers.into_iter().map(|layer| layer.media_type).collect())
        .unwrap_or_default()
}

fn known(media_type: &str) -> Option<&'static str> {
    let is = |part: &str| media_type.contains(part);
    Some(match media_type {
        _ if is("cncf.helm") => "Helm chart",
        _ if is("dev.cosign.simplesigning") || is("dev.cosign.artifact.sig") => "Signature by cosign",
        _ if is("cncf.notary.signature") => "Signature by Notation",
        _ if is("dev.sigstore.bundle") => "Sigstore bundle",
        _ if is("spdx") => "SBOM, SPDX",
        _ if is("cyclonedx") => "SBOM, CycloneDX",
        _ if is("in-toto") => "Attestation",
        _ if is("wasm") => "WebAssembly module",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn artifacts_have_names() {
        for (media_type, name) in [
            ("application/vnd.cncf.helm.config.v1+json", Some("Helm chart")),
            ("application/vnd.dev.cosign.simplesigning.v1+json", Some("Signature by cosign")),
            ("application/spdx+json", Some("SBOM, SPDX")),
            ("text/spdx+json", Some("SBOM, SPDX")),
            ("application/vnd.in-toto+json", Some("Attestation")),
            ("application/vnd.oci.image.config.v1+json", None),
        ] {
            assert_eq!(known(media_type), name, "{media_type}");
        }
    }
}
