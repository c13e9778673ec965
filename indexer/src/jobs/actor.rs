//! A look at an account: its handle in both directions, its PDS, whether it may be shown.

use chrono::Utc;
use outbound::{
    IdentityError, PdsError,
    identity::did_web_origin,
    pds::{AccountState, RepoStatus},
};
use store::{
    StoreError, crash,
    jobs::{Job, JobKind, enqueue},
    observe::{self, ActorSeen, KnownActor, Status},
};
use tokio::sync::OwnedSemaphorePermit;
use types::{Batch, Change, Did, Origin, Tid};
use url::Url;

use super::{Context, JobError};

/// The most characters that are kept of a status that we do not know.
const STATUS_CHARS: usize = 32;
/// The status of an account that was given up.
const DELETED: &str = "deleted";

/// Looks at the account that `job` names and stores what was found. A handle is kept only if it resolves back.
///
/// A directory that answers "not found" for an account that it knew may be set up anew, or not be the directory at all: what
/// was known stays until it still says so after [`missing_after`](crate::Timing::missing_after), within the day for which a
/// handle is trusted. That a DID was given up is said in another way, and believed at once.
pub async fn look(context: &Context, job: &Job) -> Result<(), JobError> {
    // Only DIDs are queued; a row that holds anything else is dropped.
    let Ok(did) = job.key.parse::<Did>() else { return Ok(()) };
    let before = observe::known_actor(&context.store, &did).await?;
    // First: while its host is busy, nobody else is asked about it either.
    let known = before.as_ref().and_then(|before| before.pds.as_deref()?.parse::<Url>().ok());
    let turn = match known {
        Some(pds) => Some((context.turn(JobKind::Actor, &pds).await?, pds)),
        None => None,
    };
    let (seen, unanswered) = match see(context, did.clone(), turn).await {
        Ok(seen) => seen,
        Err(error @ IdentityError::NotFound(_))
            if is_known(before.as_ref()) && job.waited < context.timing.missing_after =>
        {
            return Err(JobError::Behind(error.to_string()));
        }
        Err(IdentityError::NotFound(did)) => (ActorSeen::nothing(did), None),
        Err(error) => {
            if !error.is_transient() {
                legacy_hold(context, &did).await?;
            }
            return Err(JobError::later(&error));
        }
    };
    crash::point("before-observe");
    // First: once the return is stored, nobody would notice it again.
    if before.is_some_and(|before| is_back(&before, &seen)) {
        enqueue(&context.store, JobKind::Resync, &[seen.did.as_str().to_owned()]).await?;
    }
    let mut client = context.transactions.lock().await;
    observe::actor(&mut client, &seen, context.generation).await?;
    drop(client);
    if seen.status.as_ref().is_some_and(is_deleted) {
        purge(context, &seen.did).await?;
    }
    if seen.pds.is_none() && seen.hold_endpoint.is_none() {
        legacy_hold(context, &did).await?;
    }
    // What was found is kept; the status is asked for again later.
    unanswered.map_or(Ok(()), Err)
}

/// Removes what an account left once every answer for long enough said that it is deleted, this one included. No silence, no
/// takedown and no error ever leads here.
async fn purge(context: &Context, did: &Did) -> Result<(), JobError> {
    if !observe::is_gone_for_good(&context.store, did, context.timing.purge_after.as_secs_f64()).await? {
        return Ok(());
    }
    tracing::info!(did = %did, "An account was deleted for good: what it left is removed");
    let rev = Tid::from_micros(Utc::now().timestamp_micros().unsigned_abs(), 0);
    let changes = vec![Change::Purge { did: did.clone(), rev }];
    context.apply(Batch { changes, ..Batch::new(Origin::Backfill) }).await
}

/// A legacy hold is a host without a document.
async fn legacy_hold(context: &Context, did: &Did) -> Result<(), StoreError> {
    match did_web_origin(did, context.outbound.guard().allows_private_network()) {
        Some(host) => observe::legacy_hold(&context.store, did, &host.origin().ascii_serialization()).await,
        None => Ok(()),
    }
}

/// Asks the directory and the PDS, where there may be a turn already. The second part says that the PDS did not answer; an error
/// says nothing of the account.
async fn see(
    context: &Context,
    did: Did,
    turn: Option<(OwnedSemaphorePermit, Url)>,
) -> Result<(ActorSeen, Option<JobError>), IdentityError> {
    let mut seen = ActorSeen::nothing(did);
    let identity = match context.resolver.renew(&seen.did).await {
        Ok(identity) => identity,
        Err(IdentityError::Tombstoned(_)) => {
            seen.status = Some(Status { active: false, name: DELETED.into() });
            return Ok((seen, None));
        }
        Err(IdentityError::WrongId { .. } | IdentityError::Unsupported(_)) => return Ok((seen, None)),
        Err(error) => return Err(error),
    };
    let text = |url: &Url| url.origin().ascii_serialization();
    let pds = identity.document.pds();
    seen.handle = identity.handle;
    seen.pds = pds.as_ref().map(text);
    seen.hold_endpoint = identity.document.hold().as_ref().map(text);
    let Some(pds) = pds else { return Ok((seen, None)) };
    let _turn = match turn {
        Some((turn, host)) if host.host_str() == pds.host_str() => turn,
        // It is known by now where to take the next one.
        elsewhere => {
            drop(elsewhere);
            match context.turn(JobKind::Actor, &pds).await {
                Ok(turn) => turn,
                Err(busy) => return Ok((seen, Some(busy))),
            }
        }
    };
    match context.pds(pds).get_repo_status(&seen.did).await {
        Ok(answer) => seen.status = Some(status(answer)),
        Err(PdsError::Account { state, .. }) => {
            let deleted = state == AccountState::NotFound && relay_says_deleted(context, &seen.did).await;
            let name = if deleted { DELETED } else { name(state) };
            seen.status = Some(Status { active: false, name: name.into() });
        }
        Err(error) if error.is_transient() => return Ok((seen, Some(JobError::later(&error)))),
        // A server that does not speak the method says nothing about the account.
        Err(_) => {}
    }
    Ok((seen, None))
}

/// A PDS that removed an account knows nothing of it any more, as if it had lost it; the relay remembers what it was told.
async fn relay_says_deleted(context: &Context, did: &Did) -> bool {
    let answer = context.pds(context.relay_url.clone()).get_repo_status(did).await;
    answer.is_ok_and(|answer| is_deleted(&status(answer)))
}

fn is_deleted(status: &Status) -> bool {
    !status.active && status.name == DELETED
}

/// `active` decides alone; the name is for people.
fn status(answer: RepoStatus) -> Status {
    let name = answer.status.unwrap_or_else(|| if answer.active { "active" } else { "inactive" }.to_owned());
    Status { active: answer.active, name: name.chars().filter(|c| c.is_ascii_graphic()).take(STATUS_CHARS).collect() }
}

fn name(state: AccountState) -> &'static str {
    match state {
        AccountState::NotFound => "not-found",
        AccountState::Takendown => "takendown",
        AccountState::Suspended => "suspended",
        AccountState::Deactivated => "deactivated",
    }
}

/// Whether an earlier look found something.
fn is_known(before: Option<&KnownActor>) -> bool {
    before.is_some_and(|before| before.pds.is_some() || before.handle.is_some())
}

/// Whether the account came back, or moved: its repository may be another one since.
fn is_back(before: &KnownActor, seen: &ActorSeen) -> bool {
    let reactivated = !before.active && seen.status.as_ref().is_some_and(|status| status.active);
    let moved = matches!((&before.pds, &seen.pds), (Some(old), Some(new)) if old != new);
    reactivated || moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pds: &str, active: Option<bool>) -> ActorSeen {
        ActorSeen {
            did: "did:plc:a".parse().unwrap(),
            handle: None,
            pds: Some(pds.into()),
            hold_endpoint: None,
            status: active.map(|active| Status { active, name: "x".into() }),
        }
    }

    #[test]
    fn who_comes_back_or_moves_is_read_again() {
        for (active, pds, now, back) in [
            (true, Some("a"), seen("a", Some(true)), false),
            (true, None, seen("a", Some(true)), false),
            (false, Some("a"), seen("a", Some(true)), true),
            (false, Some("a"), seen("a", None), false),
            (true, Some("b"), seen("a", Some(true)), true),
            (true, Some("a"), seen("a", Some(false)), false),
        ] {
            let before = KnownActor { active, handle: None, pds: pds.map(Into::into) };
            assert_eq!(is_back(&before, &now), back, "{before:?} {now:?}");
        }
    }
}
