use axum::body::Bytes;
use outbound::{
    Pds, PdsError,
    pds::RecordEntry,
    proof::{self, Proof, ProofError},
};
use types::{
    Collection, Digest, Put, RecordId, Reference, RepositoryName, Rkey, Tag, Tid, Verification,
    records::{Record, TagRecord, TagTarget},
};
use url::Url;

use crate::{
    Registry,
    contents::pds_refusal,
    errors::{Code, OciError, Result, host},
    owners::{self, Account},
};

/// How many pages of a hundred records are read when a record does not lie under the key that atcr.io gives it.
const MAX_PAGES: usize = 5;

/// A record that its account signed.
pub(super) struct Found {
    pub put: Put,
    /// The CAR that proves it, as it came.
    pub proof: Bytes,
}

/// Looks for records of one repository on its owner's PDS.
pub(super) struct Finder<'a> {
    pub registry: &'a Registry,
    pub account: &'a Account,
    pub pds: &'a Pds,
    pub url: &'a Url,
    pub repository: &'a RepositoryName,
}

impl Finder<'_> {
    /// The records that the index lacks, manifests before tags. Empty when there is no such tag or manifest.
    pub async fn find(&self, reference: &Reference) -> Result<Vec<Found>> {
        match reference {
            Reference::Tag(tag) => self.tagged(tag).await,
            Reference::Digest(digest) => Ok(self.manifest_by_digest(digest).await?.unwrap_or_default()),
        }
    }

    async fn tagged(&self, tag: &Tag) -> Result<Vec<Found>> {
        let Some(found) = self.tag(tag).await? else { return Ok(Vec::new()) };
        let manifest = match &found.put.record {
            Ok(Record::Tag(TagRecord { target: TagTarget::Manifest(rkey), .. })) => {
                self.manifest(rkey.clone(), |_| true).await?
            }
            Ok(Record::Tag(TagRecord { target: TagTarget::Digest(digest), .. })) => {
                self.manifest_by_digest(digest).await?
            }
            _ => None,
        };
        // Without its manifest a tag would be awaited in vain.
        Ok(manifest.map(|manifest| manifest.into_iter().chain([found]).collect()).unwrap_or_default())
    }

    /// The tag's record: under the key that atcr.io gives it (`/` becomes `~`), else among all tags.
    async fn tag(&self, tag: &Tag) -> Result<Option<Found>> {
        let is_it = |record: &Record| match record {
            Record::Tag(found) => found.tag == *tag && found.repository == *self.repository,
            _ => false,
        };
        let key = format!("{}_{tag}", self.repository).replace('/', "~");
        if let Ok(rkey) = key.parse::<Rkey>() {
            let found = self.record(Collection::Tag, rkey).await?;
            if let Some(found) = found.filter(|found| found.put.record.as_ref().is_ok_and(is_it)) {
                return Ok(Some(found));
            }
        }
        match self.listed(Collection::Tag, is_it).await? {
            Some(rkey) => self.record(Collection::Tag, rkey).await,
            None => Ok(None),
        }
    }

    /// A manifest's record, under its digest's hex, else among all manifests: as [`Finder::manifest`] gives it.
    async fn manifest_by_digest(&self, digest: &Digest) -> Result<Option<Vec<Found>>> {
        let is_it = |record: &Record| matches!(record, Record::Manifest(found) if found.digest == *digest);
        if let Ok(rkey) = digest.hex().parse::<Rkey>()
            && let Some(found) = self.manifest(rkey, is_it).await?
        {
            return Ok(Some(found));
        }
        match self.listed(Collection::Manifest, is_it).await? {
            Some(rkey) => self.manifest(rkey, is_it).await,
            None => Ok(None),
        }
    }

    /// The manifest's record under a key, none when it is indexed (under another repository, if the manifest itself was
    /// asked for); `None` when there is no such manifest.
    async fn manifest(&self, rkey: Rkey, fits: impl Fn(&Record) -> bool) -> Result<Option<Vec<Found>>> {
        let known = self.registry.reader.record(&self.id(Collection::Manifest, rkey.clone())).await?;
        if known.is_some_and(|known| known.state == "ok") {
            return Ok(Some(Vec::new()));
        }
        let found = self.record(Collection::Manifest, rkey).await?;
        Ok(found.filter(|found| found.put.record.as_ref().is_ok_and(fits)).map(|found| vec![found]))
    }

    /// Whether the repository has any tag.
    pub async fn has_tags(&self) -> Result<bool> {
        let is_it = |record: &Record| matches!(record, Record::Tag(found) if found.repository == *self.repository);
        Ok(self.listed(Collection::Tag, is_it).await?.is_some())
    }

    /// Whether the index knows better: the record was deleted after the revision, or at it, or all that the account had by
    /// then was read. Then a PDS that still has it lags, and the writer would not believe it either.
    async fn is_known_absent(&self, id: &RecordId, rev: Tid) -> Result<bool> {
        if self.registry.reader.floor(&id.did).await?.is_some_and(|floor| rev <= floor) {
            return Ok(true);
        }
        let known = self.registry.reader.record(id).await?;
        let tombstone = known.filter(|known| known.state == "deleted").and_then(|known| known.rev.parse().ok());
        Ok(tombstone.is_some_and(|deleted: Tid| rev <= deleted))
    }

    fn id(&self, collection: Collection, rkey: Rkey) -> RecordId {
        RecordId { did: self.account.did.clone(), collection, rkey }
    }

    /// A record with its proof, or `None` when it is not there, or no more.
    async fn record(&self, collection: Collection, rkey: Rkey) -> Result<Option<Found>> {
        let answer = self.pds.sync_get_record(&self.account.did, collection, &rkey).await;
        let Some(car) = answer.map_err(|error| self.refusal(&error))? else { return Ok(None) };
        let id = self.id(collection, rkey);
        let proof = match self.check(&car, &id).await? {
            // The key may have been changed since it was looked up.
            Err(ProofError::Signature) => {
                self.registry.resolver.invalidate(&self.account.did).await;
                self.check(&car, &id).await?
            }
            checked => checked,
        };
        match proof.map_err(|error| self.forged(&id, &error))? {
            Proof::Absent => Ok(None),
            Proof::Present { rev, .. } if self.is_known_absent(&id, rev).await? => Ok(None),
            Proof::Present { rev, cid, json, .. } => {
                let put = Put::decode(id, rev, cid, json.into(), Verification::Signed);
                Ok(Some(Found { put, proof: car }))
            }
        }
    }

    async fn check(&self, car: &[u8], id: &RecordId) -> Result<std::result::Result<Proof, ProofError>> {
        let document = self.registry.resolver.did_document(&self.account.did).await;
        let document = document.map_err(|error| owners::refusal(&error, self.account.did.as_str()))?;
        Ok(proof::check(car, id, document.signing_key().as_deref()))
    }

    /// The key of the newest record that fits, of the first few hundred.
    async fn listed(&self, collection: Collection, fits: impl Fn(&Record) -> bool) -> Result<Option<Rkey>> {
        let mut cursor = None;
        let mut newest = None;
        for _ in 0..MAX_PAGES {
            let page = self.pds.list_records(&self.account.did, collection, cursor.as_deref(), 100).await;
            let page = page.map_err(|error| self.refusal(&error))?;
            newest = page.records.iter().filter_map(|entry| self.fitting(collection, entry, &fits)).chain(newest).max();
            cursor = page.cursor.filter(|_| !page.records.is_empty());
            if cursor.is_none() {
                break;
            }
        }
        Ok(newest.map(|(_, rkey)| rkey))
    }

    fn fitting(
        &self,
        collection: Collection,
        entry: &RecordEntry,
        fits: impl Fn(&Record) -> bool,
    ) -> Option<(Option<i64>, Rkey)> {
        let id = self.id(collection, entry.rkey().parse().ok()?);
        let record = types::records::decode(&id, entry.value().as_bytes()).ok().filter(fits)?;
        let time = match &record {
            Record::Tag(tag) => tag.updated_at,
            Record::Manifest(manifest) => manifest.created_at,
            _ => None,
        };
        Some((time.map(|time| time.timestamp_micros()), id.rkey))
    }

    fn refusal(&self, error: &PdsError) -> OciError {
        pds_refusal(error, self.url, self.account)
    }

    fn forged(&self, id: &RecordId, error: &ProofError) -> OciError {
        let host = host(self.url);
        OciError::new(Code::Upstream, format!("the owner's PDS {host} gave no valid proof of {id}")).because(error)
    }
}
