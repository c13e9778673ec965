use serde_json::json;

use super::{BlobRole, OciError, image_config, is_image_config, manifest_bytes};
use crate::Digest;

fn read(document: &serde_json::Value) -> Result<super::ManifestBytes, OciError> {
    let bytes = document.to_string();
    manifest_bytes(&Digest::sha256(bytes.as_bytes()), bytes.as_bytes())
}

fn descriptor(size: i64) -> serde_json::Value {
    json!({"mediaType": "application/octet-stream", "digest": Digest::sha256(b"x"), "size": size})
}

#[test]
fn an_image_refers_to_its_config_first() {
    let read = read(&json!({"mediaType": "m", "config": descriptor(1), "layers": [descriptor(2), descriptor(3)],
        "subject": descriptor(4), "unknown": {"fields": "are fine"}}))
    .unwrap();
    let roles: Vec<_> = read.references.iter().map(|r| (r.role, r.size)).collect();
    assert_eq!(roles, [(BlobRole::Config, 1), (BlobRole::Layer, 2), (BlobRole::Layer, 3)]);
    assert_eq!((read.media_type.as_deref(), read.subject), (Some("m"), Some(Digest::sha256(b"x"))));
}

#[test]
fn an_index_refers_to_its_manifests() {
    let mut child = descriptor(5);
    child["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": ""});
    child["annotations"] = json!({"nul": "a\u{0}b"});
    let read = read(&json!({"layers": null, "manifests": [child]})).unwrap();
    assert_eq!(read.references[0].platform, Some(("linux".into(), "arm64".into(), None)));
    assert_eq!(read.references[0].annotations["nul"], "a\u{fffd}b");
}

#[test]
fn other_bytes_are_refused_before_they_are_read() {
    let other = manifest_bytes(&Digest::sha256(b"this"), b"that");
    assert!(matches!(other, Err(OciError::WrongHash { .. })), "{other:?}");
    assert!(matches!(image_config(&Digest::sha256(b"{}"), b"{ }"), Err(OciError::WrongHash { .. })));
}

#[test]
fn bytes_that_say_nothing_usable_are_refused() {
    for bad in [json!([]), json!({"layers": [descriptor(-1)]}), json!({"config": {"digest": "sha256:x", "size": 1}})] {
        assert!(matches!(read(&bad), Err(OciError::Malformed { .. })), "{bad}");
    }
    let deep = "[".repeat(10_000);
    assert!(manifest_bytes(&Digest::sha256(deep.as_bytes()), deep.as_bytes()).is_err());
}

#[test]
fn a_config_tells_its_platform() {
    let bytes = br#"{"os":"linux","architecture":"amd64","variant":"","created":"2026-01-10T12:00:00Z","config":{}}"#;
    let config = image_config(&Digest::sha256(bytes), bytes).unwrap();
    assert_eq!((config.os.as_deref(), config.variant), (Some("linux"), None));
    assert!(config.created_at.is_some());
    assert!(is_image_config("application/vnd.oci.image.config.v1+json"));
    assert!(!is_image_config("application/vnd.cncf.helm.config.v1+json"));
}
