//! Holds, and what holds say.

use tokio_postgres::types::Type;
use types::{
    RecordId,
    records::{Crew, CrewOf, Hold, HoldStats, Member, Scan},
};

use crate::{
    StoreError,
    apply::copy::{Copies, Table},
};

const HOLD: Table = Table {
    name: "hold",
    columns: &[
        ("did", Type::TEXT),
        ("collection", Type::TEXT),
        ("rkey", Type::TEXT),
        ("hold", Type::TEXT),
        ("owner", Type::TEXT),
        ("captain", Type::BOOL),
        ("endpoint", Type::TEXT),
        ("public", Type::BOOL),
        ("allow_all_crew", Type::BOOL),
        ("region", Type::TEXT),
        ("successor", Type::TEXT),
        ("deployed_at", Type::TIMESTAMPTZ),
    ],
};

const CREW: Table = Table {
    name: "crew",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("hold", Type::TEXT),
        ("declaration_rkey", Type::TEXT),
        ("member", Type::TEXT),
        ("pattern", Type::TEXT),
        ("role", Type::TEXT),
        ("permissions", Type::TEXT_ARRAY),
        ("added_at", Type::TIMESTAMPTZ),
        ("expires_at", Type::TIMESTAMPTZ),
    ],
};

const STATS: Table = Table {
    name: "hold_stats",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("owner", Type::TEXT),
        ("repository", Type::TEXT),
        ("pulls", Type::INT8),
        ("pushes", Type::INT8),
        ("last_pull", Type::TIMESTAMPTZ),
        ("updated_at", Type::TIMESTAMPTZ),
    ],
};

const SCAN: Table = Table {
    name: "scan",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("digest", Type::TEXT),
        ("owner", Type::TEXT),
        ("manifest_rkey", Type::TEXT),
        ("status", Type::TEXT),
        ("reason", Type::TEXT),
        ("critical", Type::INT8),
        ("high", Type::INT8),
        ("medium", Type::INT8),
        ("low", Type::INT8),
        ("total", Type::INT8),
        ("scanner", Type::TEXT),
        ("scanned_at", Type::TIMESTAMPTZ),
    ],
};

pub(super) fn rows(copies: &mut Copies, id: &RecordId, hold: &Hold) -> Result<(), StoreError> {
    copies.push(
        &HOLD,
        &[
            &id.did.as_str(),
            &id.collection.as_str(),
            &id.rkey.as_str(),
            &hold.hold.as_str(),
            &hold.owner.as_str(),
            &hold.captain,
            &hold.endpoint.as_deref(),
            &hold.public,
            &hold.allow_all_crew,
            &hold.region.as_deref(),
            &hold.successor.as_ref().map(|successor| successor.as_str()),
            &hold.deployed_at,
        ],
    )
}

pub(super) fn crew_rows(copies: &mut Copies, id: &RecordId, crew: &Crew) -> Result<(), StoreError> {
    let (hold, declaration) = match &crew.hold {
        CrewOf::Hold(did) => (Some(did.as_str()), None),
        CrewOf::Declaration(uri) => (None, Some(uri.rkey.as_str())),
    };
    let (member, pattern) = match &crew.member {
        Member::Did(did) => (Some(did.as_str()), None),
        Member::Pattern(pattern) => (None, Some(pattern.as_str())),
    };
    copies.push(
        &CREW,
        &[
            &id.did.as_str(),
            &id.rkey.as_str(),
            &hold,
            &declaration,
            &member,
            &pattern,
            &crew.role.as_deref(),
            &crew.permissions,
            &crew.added_at,
            &crew.expires_at,
        ],
    )
}

pub(super) fn stats_rows(copies: &mut Copies, id: &RecordId, stats: &HoldStats) -> Result<(), StoreError> {
    copies.push(
        &STATS,
        &[
            &id.did.as_str(),
            &id.rkey.as_str(),
            &stats.owner.as_str(),
            &stats.repository.as_str(),
            &stats.pulls,
            &stats.pushes,
            &stats.last_pull,
            &stats.updated_at,
        ],
    )
}

pub(super) fn scan_rows(copies: &mut Copies, id: &RecordId, scan: &Scan) -> Result<(), StoreError> {
    let found = scan.findings;
    copies.push(
        &SCAN,
        &[
            &id.did.as_str(),
            &id.rkey.as_str(),
            &scan.digest.as_str(),
            &scan.owner.as_str(),
            &scan.manifest_rkey.as_str(),
            &scan.status.as_str(),
            &scan.reason.as_deref(),
            &found.critical,
            &found.high,
            &found.medium,
            &found.low,
            &found.total,
            &scan.scanner.as_deref(),
            &scan.scanned_at,
        ],
    )
}
