//! What an artifact is, in words.

use serde::Deserialize;
use store::queries::{LayerView, ManifestView, Referrer};

/// What is to be pulled, which decides who can.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By any container client.
    Image,
    /// By Helm.
    Chart,
    /// By ORAS.
    Artifact,
}

/// Names a manifest by what its layers attest, by its artifact type, its configuration's type or its layers' types.
pub fn name(manifest: &ManifestView, layers: &[LayerView]) -> String {
    let declared = manifest.artifact_type.iter().chain(&manifest.config_media_type);
    let types = declared.map(String::as_str).chain(layers.iter().map(|layer| layer.media_type.as_str()));
    let predicates = layers.iter().filter_map(|layer| layer.predicate.as_deref());
    let unnamed = match manifest.kind.as_str() {
        "index" => "Image for several platforms",
        _ if is_image(manifest) => "Image",
        _ => "Artifact",
    };
    named(types, predicates).unwrap_or_else(|| unnamed.to_owned())
}

/// Who can pull it.
pub fn kind(manifest: &ManifestView) -> Kind {
    if manifest.config_media_type.as_deref() == Some("application/vnd.cncf.helm.config.v1+json") {
        return Kind::Chart;
    }
    if manifest.kind == "index" || is_image(manifest) { Kind::Image } else { Kind::Artifact }
}

/// An image has an image's configuration, or says nothing of it.
fn is_image(manifest: &ManifestView) -> bool {
    let configured = manifest.config_media_type.as_deref().is_none_or(|media_type| {
        matches!(
            media_type,
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
        )
    });
    configured && manifest.artifact_type.is_none()
}

/// Names what is about another manifest, by the same types.
pub fn referrer(referrer: &Referrer) -> String {
    let layers = layers_of(&referrer.bytes);
    let declared = referrer.artifact_type.iter().chain(&referrer.config_media_type).map(String::as_str);
    let types = declared.chain(layers.iter().map(|layer| layer.media_type.as_str()));
    let predicates =
        layers.iter().filter_map(|layer| layer.annotations.get(PREDICATE)).filter_map(|value| value.as_str());
    named(types, predicates).unwrap_or_else(|| "Artifact".to_owned())
}

/// What BuildKit and others say of a layer that is an in-toto statement.
const PREDICATE: &str = "in-toto.io/predicate-type";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: serde_json::Map<String, serde_json::Value>,
}

fn layers_of(manifest: &[u8]) -> Vec<Layer> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        layers: Vec<Layer>,
    }
    serde_json::from_slice(manifest).map(|manifest: Manifest| manifest.layers).unwrap_or_default()
}

/// By what is attested, all of it; or else by the first type that we know.
fn named<'a>(mut types: impl Iterator<Item = &'a str>, predicates: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut attested: Vec<&str> = predicates.filter_map(predicate).collect();
    attested.sort_unstable();
    attested.dedup();
    if attested.is_empty() { types.find_map(known).map(str::to_owned) } else { Some(attested.join("; ")) }
}

/// Names what an in-toto statement says, by its [predicate type](https://github.com/in-toto/attestation/tree/main/spec/predicates).
fn predicate(uri: &str) -> Option<&'static str> {
    let is = |part: &str| uri.contains(part);
    Some(match uri {
        _ if is("slsa.dev/provenance") => "Provenance, SLSA",
        _ if is("spdx.dev") => "SBOM, SPDX",
        _ if is("cyclonedx.org") => "SBOM, CycloneDX",
        _ if is("openvex.dev") => "Vulnerability statement, OpenVEX",
        _ if is("cosign.sigstore.dev/attestation/vuln") => "Vulnerability scan",
        _ => return None,
    })
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
        _ if is("openvex") => "Vulnerability statement, OpenVEX",
        _ if is("sarif") => "Vulnerability scan, SARIF",
        _ if is("in-toto") || is("dsse") => "Attestation",
        _ if is("wasm") => "WebAssembly module",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{known, layers_of, named, predicate};

    #[test]
    fn attestations_say_what_they_attest() {
        let bytes = br#"{"layers":[
            {"mediaType":"application/vnd.in-toto+json","annotations":{"in-toto.io/predicate-type":"https://spdx.dev/Document"}},
            {"mediaType":"application/vnd.in-toto+json","annotations":{"in-toto.io/predicate-type":"https://slsa.dev/provenance/v0.2"}},
            {"annotations":{"in-toto.io/predicate-type":7}}]}"#;
        let layers = layers_of(bytes);
        let predicates = layers.iter().filter_map(|layer| layer.annotations[super::PREDICATE].as_str());
        let types = layers.iter().map(|layer| layer.media_type.as_str());
        assert_eq!(named(types, predicates).as_deref(), Some("Provenance, SLSA; SBOM, SPDX"));
        assert_eq!(named(["application/vnd.in-toto+json"].into_iter(), [].into_iter()).as_deref(), Some("Attestation"));
        assert_eq!((predicate("https://example.com"), layers_of(b"{}").len(), layers_of(b"[]").len()), (None, 0, 0));
    }

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
