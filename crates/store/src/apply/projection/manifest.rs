use tokio_postgres::types::{Json, Type};
use types::{
    ManifestKind, RecordId,
    records::{BlobRef, Manifest},
};

use crate::{
    StoreError,
    apply::copy::{Copies, Table},
};

const MANIFEST: Table = Table {
    name: "manifest",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("repository", Type::TEXT),
        ("digest", Type::TEXT),
        ("media_type", Type::TEXT),
        ("kind", Type::TEXT),
        ("hold", Type::TEXT),
        ("legacy_endpoint", Type::TEXT),
        ("config_digest", Type::TEXT),
        ("config_media_type", Type::TEXT),
        ("subject", Type::TEXT),
        ("size", Type::INT8),
        ("blob_cid", Type::TEXT),
        ("annotations", Type::JSONB),
        ("created_at", Type::TIMESTAMPTZ),
    ],
};

const LAYER: Table = Table {
    name: "layer",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("position", Type::INT4),
        ("digest", Type::TEXT),
        ("media_type", Type::TEXT),
        ("size", Type::INT8),
    ],
};

const PLATFORM: Table = Table {
    name: "platform",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("position", Type::INT4),
        ("digest", Type::TEXT),
        ("media_type", Type::TEXT),
        ("size", Type::INT8),
        ("os", Type::TEXT),
        ("architecture", Type::TEXT),
        ("variant", Type::TEXT),
    ],
};

pub(super) fn rows(copies: &mut Copies, id: &RecordId, manifest: &Manifest) -> Result<(), StoreError> {
    let (did, rkey) = (id.did.as_str(), id.rkey.as_str());
    let config = manifest.config.as_ref();
    let kind = match manifest.kind() {
        ManifestKind::Image => "image",
        ManifestKind::Index => "index",
    };
    copies.push(
        &MANIFEST,
        &[
            &did,
            &rkey,
            &manifest.repository.as_str(),
            &manifest.digest.as_str(),
            &manifest.media_type.as_str(),
            &kind,
            &manifest.hold.as_ref().map(|hold| hold.as_str()),
            &manifest.legacy_endpoint.as_deref(),
            &config.map(|config| config.digest.as_str()),
            &config.map(|config| config.media_type.as_str()),
            &manifest.subject.as_ref().map(|subject| subject.digest.as_str()),
            &manifest.size(),
            &manifest.blob.as_ref().map(|blob| blob.cid.to_string()),
            &Json(&manifest.annotations),
            &manifest.created_at,
        ],
    )?;
    for (position, BlobRef { digest, media_type, size }) in (0i32..).zip(&manifest.layers) {
        copies.push(&LAYER, &[&did, &rkey, &position, &digest.as_str(), &media_type.as_str(), size])?;
    }
    for (position, child) in (0i32..).zip(&manifest.children) {
        let BlobRef { digest, media_type, size } = &child.blob;
        let platform = child.platform.as_ref().filter(|platform| !platform.is_unknown());
        copies.push(
            &PLATFORM,
            &[
                &did,
                &rkey,
                &position,
                &digest.as_str(),
                &media_type.as_str(),
                size,
                &platform.map(|platform| platform.os.as_str()),
                &platform.map(|platform| platform.architecture.as_str()),
                &platform.and_then(|platform| platform.variant.as_deref()),
            ],
        )?;
    }
    Ok(())
}
