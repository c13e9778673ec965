//! The ledger, compared with what accounts have signed. A proof that contradicts it is believed, and put in its place.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use outbound::{
    Pds, PdsError,
    pds::RECORD_BYTES,
    proof::{ProofError, Signed},
};
use store::{
    jobs::{Job, JobKind},
    signatures::{self, Standing, Told},
};
use types::{Arrival, Batch, Change, Cid, Did, DropReason, Form, Origin, Put, RecordId, Tid, Verification};

use super::{Context, JobError};
use crate::{
    measure,
    source::cbor::block_to_json,
    validate::{refused, reject},
};

/// So many records are asked for one by one; more are read with their whole repository, of at most so many bytes.
const ONE_BY_ONE: usize = 8;
const MAX_REPOSITORY: u64 = 64 << 20;
/// How long a stream has at least to tell of what the repository has come to.
const ON_THE_WAY: Duration = Duration::from_secs(2);
/// The most records of one job.
const AT_ONCE: i64 = 100_000;

/// Compares what the job's key names.
pub async fn check(context: &Context, job: &Job) -> Result<(), JobError> {
    let (did, standing) = named(context, &job.key).await?;
    let (Some(did), false) = (did, standing.is_empty()) else { return Ok(()) };
    let host = context.repository_host(&did).await.map_err(|error| JobError::later(&error))?;
    let _turn = context.turn(JobKind::Verify, &host).await?;
    let mut verifier = Verifier { context, pds: context.pds(host), did, waited: job.waited, left: None };
    if standing.len() > ONE_BY_ONE {
        // It is not waited for: who waits for so much holds up all others.
        let _room = context.budget.try_take(MAX_REPOSITORY as usize).ok_or(JobError::Busy)?;
        if let Some(car) = proof(verifier.pds.get_repo(&verifier.did, MAX_REPOSITORY).await.map(Some))? {
            verifier.compare(&car, &standing).await?;
        }
    } else {
        for one in &standing {
            let _room = context.budget.take(RECORD_BYTES as usize).await;
            let answer = verifier.pds.sync_get_record(&verifier.did, one.id.collection, &one.id.rkey).await;
            if let Some(car) = proof(answer)? {
                verifier.compare(&car, std::slice::from_ref(one)).await?;
            }
        }
    }
    verifier.left.map_or(Ok(()), Err)
}

/// What a key names, if it is still there and nobody has compared it.
async fn named(context: &Context, key: &str) -> Result<(Option<Did>, Vec<Standing>), JobError> {
    let mut parts = key.splitn(3, '/');
    let did = parts.next().and_then(|did| did.parse::<Did>().ok());
    let Some(did) = did else { return Ok((None, Vec::new())) };
    let standing = match (parts.next(), parts.next()) {
        (Some(collection), Some(rkey)) => match (collection.parse(), rkey.parse()) {
            (Ok(collection), Ok(rkey)) => {
                let id = RecordId { did: did.clone(), collection, rkey };
                signatures::unsigned_one(&context.store, &id).await?.into_iter().collect()
            }
            _ => Vec::new(),
        },
        _ => signatures::unsigned(&context.store, &did, AT_ONCE).await?,
    };
    Ok((Some(did), standing))
}

struct Verifier<'a> {
    context: &'a Context,
    pds: Pds,
    did: Did,
    /// How long the job has been waiting for the PDS to follow.
    waited: Duration,
    /// Why the job does not end well, though everything was looked at: what has to be asked again, or else what will never
    /// be proved.
    left: Option<JobError>,
}

/// A record as its account signed it, and the block that it was read out of.
struct Truth {
    put: Put,
    block: Bytes,
}

/// What a proof says of a record of the ledger.
enum Finding {
    /// It is signed as it stands, or is signed not to be there.
    Same,
    /// The repository is at an older revision than the record is known of.
    Behind(Option<Truth>),
    /// The repository has moved on since; this is what it holds now.
    Moved(Option<Truth>),
    /// At the very revision that the record is known of, this is what was signed instead.
    Other(Option<Truth>),
}

impl Verifier<'_> {
    /// Each record is judged alone, whatever is wrong with the others.
    async fn compare(&mut self, car: &[u8], standing: &[Standing]) -> Result<(), JobError> {
        let signed = match self.open(car).await? {
            Ok(signed) => signed,
            Err(error) => {
                self.unproved(&error);
                return Ok(());
            }
        };
        let mut same = Vec::new();
        for one in standing {
            match find(&signed, one) {
                Ok(Finding::Same) => same.push(one),
                Ok(Finding::Behind(_)) if self.is_patient(one.rev) => {
                    self.left = Some(JobError::Behind(format!("the repository is behind {}", one.rev)));
                }
                Ok(Finding::Moved(truth)) => self.pass(one, &signed, truth).await?,
                Ok(Finding::Behind(truth) | Finding::Other(truth)) => self.settle(one, &signed, truth, true).await?,
                Err(error) => self.unproved(&error),
            }
        }
        same.iter().for_each(|_| measure::verified("signed"));
        Ok(signatures::signed(&self.context.store, &same).await?)
    }

    /// A PDS whose repository is older than an event may be slow to follow; in the end the event is what was wrong.
    fn is_patient(&self, rev: Tid) -> bool {
        self.context.timing.is_patient(self.waited, rev)
    }

    /// The key may have been changed since it was looked up.
    async fn open<'c>(&self, car: &'c [u8]) -> Result<Result<Signed<'c>, ProofError>, JobError> {
        let resolver = &self.context.resolver;
        let document = resolver.did_document(&self.did).await.map_err(|error| JobError::later(&error))?;
        match Signed::open(car, &self.did, document.signing_key().as_deref()) {
            Err(ProofError::Signature) => {}
            opened => return Ok(opened),
        }
        let renewed = resolver.renew(&self.did).await.map_err(|error| JobError::later(&error))?;
        Ok(Signed::open(car, &self.did, renewed.document.signing_key().as_deref()))
    }

    fn unproved(&mut self, error: &ProofError) {
        measure::verified("unproved");
        let detail = format!("a proof by the PDS of {}: {error}", self.did);
        self.left.get_or_insert_with(|| JobError::never(&self.did, detail, &[]));
    }

    /// The repository has moved on, and the record with it, unless what was told of it was never signed: so it is once the streams
    /// have told of everything up to where the repository is, and the record stands all the same.
    async fn pass(&mut self, one: &Standing, signed: &Signed<'_>, truth: Option<Truth>) -> Result<(), JobError> {
        let patience = self.context.timing.lag_patience;
        let told = signatures::told(&self.context.store, one, signed.rev()).await?;
        if told != Told::Changed && self.waited < ON_THE_WAY.min(patience)
            || told == Told::NotYet && self.waited < patience
        {
            self.left = Some(JobError::Behind(format!("the stream may be behind {}", signed.rev())));
            return Ok(());
        }
        match told {
            Told::Changed => Ok(()),
            Told::All => self.settle(one, signed, truth, true).await,
            Told::NotYet => self.settle(one, signed, truth, false).await,
        }
    }

    /// Has the writer put what was signed in the place of what stands. Nothing is news to the ledger below the revision that
    /// it knows, so the truth takes that one at least.
    async fn settle(
        &self,
        one: &Standing,
        signed: &Signed<'_>,
        truth: Option<Truth>,
        is_mismatch: bool,
    ) -> Result<(), JobError> {
        measure::verified(if is_mismatch { "mismatch" } else { "moved" });
        if is_mismatch {
            let cid = one.cid.map(tracing::field::display);
            tracing::error!(record = %one.id, rev = %one.rev, cid, "A record is not what its account signed");
        }
        let rev = one.rev.max(signed.rev());
        let did = Some(self.did.clone());
        let detail = || format!("{} at {} is not what its account signed", one.id, one.rev);
        let reject = is_mismatch.then(|| reject(did.clone(), DropReason::CidMismatch, detail(), &[]));
        let mut batch = Batch::new(Origin::Backfill);
        match truth {
            Some(Truth { put, block }) => {
                let event = Arrival::new(Form::Block, block, Utc::now().timestamp_micros());
                let event = Arrival { did, rev: Some(signed.rev()), ..event };
                batch.take(event, vec![Change::Put(Box::new(Put { rev, ..put }))], reject.into_iter().collect());
            }
            None => {
                batch.changes.push(Change::Delete { id: one.id.clone(), rev });
                batch.rejects.extend(reject);
            }
        }
        self.context.apply(batch).await
    }
}

/// A PDS that proves nothing, or does not serve the account, leaves everything as it is.
fn proof(answer: Result<Option<Bytes>, PdsError>) -> Result<Option<Bytes>, JobError> {
    match answer {
        Ok(Some(car)) => Ok(Some(car)),
        Err(error) if error.is_transient() => Err(JobError::later(&error)),
        Ok(None) | Err(_) => {
            measure::verified("unproved");
            Ok(None)
        }
    }
}

/// CIDs are compared before anything is read: what a record says is asked only where another one has to be put in its place.
fn find(signed: &Signed<'_>, one: &Standing) -> Result<Finding, ProofError> {
    let truth = match signed.find(&one.id)? {
        found if found == one.cid => return Ok(Finding::Same),
        Some(cid) => Some(truth(&one.id, signed.rev(), cid, signed.block(cid)?)),
        None => None,
    };
    Ok(match signed.rev().cmp(&one.rev) {
        std::cmp::Ordering::Less => Finding::Behind(truth),
        std::cmp::Ordering::Equal => Finding::Other(truth),
        std::cmp::Ordering::Greater => Finding::Moved(truth),
    })
}

/// What JSON cannot tell stands there all the same, and counts for nothing.
fn truth(id: &RecordId, rev: Tid, cid: Cid, block: &[u8]) -> Truth {
    let put = match block_to_json(block) {
        Ok(json) => Put::decode(id.clone(), rev, cid, json.into(), Verification::Signed),
        Err(error) => {
            let put = refused(id.clone(), rev, cid, block, &error.to_string());
            Put { verification: Verification::Signed, ..put }
        }
    };
    Truth { put, block: Bytes::copy_from_slice(block) }
}
