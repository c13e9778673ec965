use chrono::{DateTime, Utc};

use super::{Refusal, fields::Fields};
use crate::{AtUri, Digest, RecordId, Rkey};

/// `io.atcr.hold.scan`: a hold's vulnerability scan of a manifest. It counts only while that manifest names the hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The manifest's digest: the record's key is its hex.
    pub digest: Digest,
    /// The owner of the manifest record.
    pub owner: crate::Did,
    /// The manifest record's key.
    pub manifest_rkey: Rkey,
    /// `ok`, `failed` or `skipped`; records without a status are finished scans.
    pub status: String,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// Findings: critical, high, medium, low, and all of them.
    pub findings: Findings,
    /// The scanner and its version.
    pub scanner: Option<String>,
    /// When.
    pub scanned_at: Option<DateTime<Utc>>,
}

/// Counts by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Critical.
    pub critical: i64,
    /// High.
    pub high: i64,
    /// Medium.
    pub medium: i64,
    /// Low.
    pub low: i64,
    /// All, those without a severity included.
    pub total: i64,
}

impl Scan {
    pub(super) fn decode(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        let digest = format!("sha256:{}", id.rkey).parse().map_err(|_| fields.error("rkey", "not a digest's hex"))?;
        let manifest: AtUri = fields.parse("manifest")?;
        let status = fields.opt_text("status").unwrap_or_else(|| "ok".to_owned());
        if !matches!(status.as_str(), "ok" | "failed" | "skipped") {
            return Err(fields.error("status", format!("{status:?} is not ok, failed or skipped")).into());
        }
        Ok(Self {
            digest,
            owner: manifest.did,
            manifest_rkey: manifest.rkey,
            status,
            reason: fields.opt_text("reason"),
            findings: Findings {
                critical: fields.count("critical")?,
                high: fields.count("high")?,
                medium: fields.count("medium")?,
                low: fields.count("low")?,
                total: fields.count("total")?,
            },
            scanner: fields.opt_text("scannerVersion"),
            scanned_at: fields.time("scannedAt"),
        })
    }
}
