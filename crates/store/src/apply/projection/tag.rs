use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{Row, types::Type};
use types::{
    RecordId,
    records::{TagRecord, TagTarget},
};

use crate::{
    StoreError,
    apply::{
        Transaction,
        copy::{Copies, Table},
    },
};

const TAG: Table = Table {
    name: "tag",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("repository", Type::TEXT),
        ("tag", Type::TEXT),
        ("manifest_rkey", Type::TEXT),
        ("manifest_digest", Type::TEXT),
        ("updated_at", Type::TIMESTAMPTZ),
    ],
};

pub(super) fn rows(copies: &mut Copies, id: &RecordId, tag: &TagRecord) -> Result<(), StoreError> {
    let (manifest, digest) = match &tag.target {
        TagTarget::Manifest(rkey) => (Some(rkey.as_str()), None),
        TagTarget::Digest(digest) => (None, Some(digest.as_str())),
    };
    let repository = tag.repository.as_str();
    copies.push(
        &TAG,
        &[&id.did.as_str(), &id.rkey.as_str(), &repository, &tag.tag.as_str(), &manifest, &digest, &tag.updated_at],
    )
}

/// What a tag's record said: repository, tag, the target's record, the target's digest, when by the owner's clock.
#[derive(Clone, Debug)]
struct Said {
    repository: String,
    tag: String,
    manifest: Option<String>,
    digest: Option<String>,
    at: Option<DateTime<Utc>>,
}

impl Said {
    fn same_tag(&self, other: &Self) -> bool {
        (&self.repository, &self.tag) == (&other.repository, &other.tag)
    }

    fn same_target(&self, other: &Self) -> bool {
        (&self.manifest, &self.digest) == (&other.manifest, &other.digest)
    }
}

/// What tags said before a batch and say after it, by (account, key).
#[derive(Default)]
pub(super) struct Moves {
    before: BTreeMap<(String, String), Said>,
    after: BTreeMap<(String, String), Said>,
    /// The digests of manifests that went, or became others, in the same batch.
    digests: BTreeMap<(String, String), String>,
}

impl Moves {
    /// A row of `tag` that goes: its account, repository, key, tag, targets and time.
    pub fn removed(&mut self, row: &Row) {
        let said =
            Said { repository: row.get(1), tag: row.get(3), manifest: row.get(4), digest: row.get(5), at: row.get(6) };
        self.before.insert((row.get(0), row.get(2)), said);
    }

    /// A row of `manifest` that goes: its account, repository, digest and key.
    pub fn replaced(&mut self, row: &Row) {
        self.digests.insert((row.get(0), row.get(3)), row.get(2));
    }

    pub fn added(&mut self, id: &RecordId, tag: &TagRecord) {
        let (manifest, digest) = match &tag.target {
            TagTarget::Manifest(rkey) => (Some(rkey.as_str().to_owned()), None),
            TagTarget::Digest(digest) => (None, Some(digest.as_str().to_owned())),
        };
        let (repository, name) = (tag.repository.as_str().to_owned(), tag.tag.as_str().to_owned());
        let said = Said { repository, tag: name, manifest, digest, at: tag.updated_at };
        self.after.insert((id.did.as_str().to_owned(), id.rkey.as_str().to_owned()), said);
    }

    /// Keeps what tags pointed at until now and do no more. Written once a revision: a replay adds nothing.
    ///
    /// It ended at the time of the revision that ended it, which is the same wherever that is heard of, and however late: not
    /// at the time of the event, which every source gives another, nor of the owner's clock, which may say anything. It began
    /// when what the tag pointed at before ended; of the first that is known, and of what was made anew, nobody kept the revision,
    /// and the owner's clock is believed, but not beyond the end, nor before the record last was gone or said another tag.
    pub async fn write(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        self.keep_digests(tx).await?;
        let ended = self.before.iter().filter_map(|(key, before)| {
            let after = self.after.get(key).filter(|after| after.same_tag(before));
            match after {
                Some(after) if after.same_target(before) => None,
                after => Some((key, before, after.is_some())),
            }
        });
        let ended: Vec<_> = ended.collect();
        if ended.is_empty() {
            return Ok(());
        }
        let text = |pick: fn(&Said) -> Option<&str>| ended.iter().map(|(_, said, _)| pick(said)).collect::<Vec<_>>();
        let dids: Vec<&str> = ended.iter().map(|((did, _), ..)| did.as_str()).collect();
        let rkeys: Vec<&str> = ended.iter().map(|((_, rkey), ..)| rkey.as_str()).collect();
        let since: Vec<_> = ended.iter().map(|(_, said, _)| said.at).collect();
        // What the batch found there; else what it brought, late.
        let digests = ended.iter().map(|((did, _), said, _)| {
            let was = said.manifest.as_ref().and_then(|rkey| self.digests.get(&(did.clone(), rkey.clone())));
            said.digest.as_ref().or(was).map(String::as_str)
        });
        let digests: Vec<Option<&str>> = digests.collect();
        let moved: Vec<bool> = ended.iter().map(|(.., moved)| *moved).collect();
        tx.execute(
            "INSERT INTO tag_history (did, repository, tag, rkey, until_rev, manifest_rkey, digest, since, until, moved)
             SELECT e.did, e.repository, e.tag, e.rkey, r.rev, e.manifest, coalesce(e.digest, m.digest, gone.digest),
                    coalesce(before.until, CASE WHEN e.since IS NOT NULL THEN least(greatest(e.since, gone_at.until), r.at) END),
                    r.at, e.moved
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::boolean[]) e (did, rkey, repository, tag, manifest, digest, since, moved)
             CROSS JOIN LATERAL (SELECT rev, tid_time(rev) AS at FROM record
                                 WHERE (did, collection, rkey) = (e.did, 'io.atcr.tag', e.rkey) OFFSET 0) r
             LEFT JOIN manifest m ON m.did = e.did AND m.rkey = e.manifest
             LEFT JOIN gone_manifest gone ON gone.did = e.did AND gone.rkey = e.manifest
             LEFT JOIN LATERAL (SELECT CASE WHEN h.moved THEN h.until END AS until FROM tag_history h
                                WHERE (h.did, h.repository, h.tag, h.rkey) = (e.did, e.repository, e.tag, e.rkey)
                                ORDER BY h.until_rev DESC LIMIT 1) before ON true
             LEFT JOIN LATERAL (SELECT h.until FROM tag_history h
                                WHERE h.did = e.did AND h.rkey = e.rkey AND NOT h.moved
                                ORDER BY h.until_rev DESC LIMIT 1) gone_at ON true
             ON CONFLICT DO NOTHING",
            &[
                &dids,
                &rkeys,
                &text(|said| Some(&said.repository)),
                &text(|said| Some(&said.tag)),
                &text(|said| said.manifest.as_deref()),
                &digests,
                &since,
                &moved,
            ],
        )
        .await?;
        Ok(())
    }

    /// Keeps the digests of manifests that went while tags point at them: when those end, nobody would know.
    async fn keep_digests(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        if self.digests.is_empty() {
            return Ok(());
        }
        let (dids, rkeys): (Vec<&str>, Vec<&str>) =
            self.digests.keys().map(|(did, rkey)| (did.as_str(), rkey.as_str())).unzip();
        let digests: Vec<&str> = self.digests.values().map(String::as_str).collect();
        tx.execute(
            "INSERT INTO gone_manifest (did, rkey, digest)
             SELECT k.did, k.rkey, k.digest FROM unnest($1::text[], $2::text[], $3::text[]) k (did, rkey, digest)
             WHERE NOT EXISTS (SELECT FROM manifest m WHERE m.did = k.did AND m.rkey = k.rkey)
               AND EXISTS (SELECT FROM tag t WHERE t.did = k.did AND t.manifest_rkey = k.rkey)
             ON CONFLICT (did, rkey) DO UPDATE SET digest = excluded.digest",
            &[&dids, &rkeys, &digests],
        )
        .await?;
        Ok(())
    }
}
