//! Who signs in: a handle or DID and a password, tried at the **reader's own** PDS and nowhere else. The session is kept for
//! the minutes of a pull; a password never is.

mod attempts;
mod credentials;
pub(crate) mod sessions;

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use outbound::{DidDocument, Pds, Session, SessionError, pds::AccountState};
use service::client::Client;
use tokio::time::timeout;
use types::Did;
use url::Url;

pub(crate) use credentials::{Credentials, Who};
pub(crate) use sessions::SessionId;

use self::{attempts::Attempts, credentials::refused};
use crate::{
    Registry,
    errors::{Code, OciError, Result, host},
    owners,
    tokens::LIFETIME,
};

/// For how long credentials that were right are believed: a PDS takes 30 sign-ins in five minutes, and a pull signs in for
/// every repository.
const BELIEVED: Duration = Duration::from_secs(600);
/// For how long it is remembered from where an account signed in.
const FAMILIAR: Duration = Duration::from_secs(24 * 3600);
/// How many are remembered.
const REMEMBERED: u64 = 10_000;
/// Failed attempts in five minutes, at one account and of one address. The first is below what a PDS takes.
const MOST_AT_ACCOUNT: u32 = 15;
const MOST_OF_CLIENT: u32 = 30;
/// When somebody may come back whose PDS limits us, in seconds.
const LIMITED: u64 = 60;

/// Who signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub did: Did,
    /// The session at the PDS.
    pub session: SessionId,
}

/// The sign-ins of this process.
pub(crate) struct SignIns {
    /// By a digest of name and password under `key`, which lives as long as the process.
    believed: Cache<[u8; 32], SignedIn>,
    key: [u8; 32],
    at_accounts: Attempts,
    of_clients: Attempts,
    /// From where which account signed in before: a stranger's guesses do not lock it out there.
    familiar: moka::sync::Cache<(Did, Client), ()>,
}

impl SignIns {
    pub fn new() -> Self {
        Self {
            believed: Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED).build(),
            key: rand::random(),
            at_accounts: Attempts::new(MOST_AT_ACCOUNT),
            of_clients: Attempts::new(MOST_OF_CLIENT),
            familiar: moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(FAMILIAR).build(),
        }
    }
}

/// Signs a reader in, or believes what was right minutes ago. Of those who send the same at once, one asks the PDS.
pub(crate) async fn sign_in(registry: &Registry, sent: &Credentials, client: Client) -> Result<SignedIn> {
    let (sign_ins, key) = (&registry.sign_ins, sent.digest(&registry.sign_ins.key));
    if let Some(reader) = sign_ins.believed.get(&key).await {
        if sessions::is_kept(registry, reader.session).await? {
            count("believed");
            return Ok(reader);
        }
        // Its PDS ended the session.
        sign_ins.believed.invalidate(&key).await;
    }
    let asking = Box::pin(async {
        let answer = first_sign_in(registry, sent, client).await;
        count(answer.as_ref().map_or_else(|error| error.code.row().0, |_| "new"));
        answer
    });
    sign_ins.believed.try_get_with(key, asking).await.map_err(|error: Arc<OciError>| (*error).clone())
}

fn count(result: &'static str) {
    metrics::counter!("crowsnest_sign_ins_total", "result" => result).increment(1);
}

async fn first_sign_in(registry: &Registry, sent: &Credentials, client: Client) -> Result<SignedIn> {
    let sign_ins = &registry.sign_ins;
    // Behind a proxy that is not known as one everybody comes from this machine.
    let of_client = match client.is_local() {
        true => None,
        false => Some(sign_ins.of_clients.begin(&format!("{client:?}"))?),
    };
    registry.limits.lookup(client)?;
    let document = identity(registry, &sent.who).await?;
    let pds = document.pds().ok_or_else(|| refused(format!("the account of {} has no server", sent.who)))?;
    let place = (document.id.clone(), client);
    let whose = match sign_ins.familiar.contains_key(&place) {
        true => format!("{} {client:?}", document.id),
        false => document.id.to_string(),
    };
    let at_account = sign_ins.at_accounts.begin(&whose)?;
    let session = create_session(registry, sent, &document.id, &pds).await;
    if !matches!(session, Err(SessionError::Refused | SessionError::SecondFactor)) {
        at_account.forgive();
        if let Some(of_client) = of_client {
            of_client.forgive();
        }
    }
    let session = session.map_err(|error| refusal(&error, &sent.who, &pds))?;
    sign_ins.familiar.insert(place, ());
    // As long as any token that names it.
    let id = sessions::keep(registry, &pds, &session, BELIEVED + LIFETIME).await?;
    Ok(SignedIn { did: session.did, session: id })
}

/// The account, asked afresh: yesterday's PDS must not hear today's password.
async fn identity(registry: &Registry, who: &Who) -> Result<Arc<DidDocument>> {
    let _permit = registry.read_through.permit_for_identity().await?;
    let asking = async {
        match who {
            Who::Handle(handle) => registry.resolver.renew_handle(handle).await,
            Who::Did(did) => registry.resolver.renew_document(did).await.map(Some),
        }
    };
    let silent = || OciError::new(Code::Unavailable, format!("{who} cannot be looked up at the moment"));
    let asked = timeout(registry.config.patience.identity, Box::pin(asking)).await.map_err(|_| silent())?;
    let document = asked.map_err(|error| match owners::refusal(&error, &who.to_string()) {
        OciError { code: Code::NameUnknown, message, .. } => refused(message),
        error => error,
    })?;
    document.ok_or_else(|| refused(format!("no account has the handle {who}")))
}

async fn create_session(
    registry: &Registry,
    sent: &Credentials,
    did: &Did,
    pds: &Url,
) -> std::result::Result<Session, SessionError> {
    let _permits = registry.read_through.permit_for(registry, pds).await.map_err(|_| SessionError::Limited)?;
    Pds::new(registry.outbound.clone(), pds.clone()).create_session(did, &sent.password).await
}

/// What a PDS that gives no session means to a client. Only a password that is wrong is a 401: for anything else clients would
/// tell their people that it is.
pub(crate) fn refusal(error: &SessionError, who: &impl std::fmt::Display, pds: &Url) -> OciError {
    let host = host(pds);
    let busy = |why: &str| {
        OciError::new(Code::Unavailable, format!("{host}, where {who} has its account, {why}: try again in a minute"))
            .with_retry_after(LIMITED)
    };
    match error {
        SessionError::Refused => {
            refused(format!("{host} refuses the password of {who}: sign in with an app password of that account"))
        }
        SessionError::SecondFactor => {
            refused(format!("{host} asks for a code besides the password of {who}: sign in with an app password"))
        }
        SessionError::Account(state) => {
            let state = match state {
                AccountState::NotFound => "is not there",
                AccountState::Takendown => "was taken down",
                AccountState::Suspended => "is suspended",
                AccountState::Deactivated => "is deactivated",
            };
            OciError::new(Code::Denied, format!("the account of {who} {state} at {host}, and cannot sign in"))
        }
        SessionError::Limited => busy("limits how often it is asked"),
        SessionError::Down(error) => busy("does not answer").because(error),
        SessionError::WrongAccount(_) => {
            OciError::new(Code::Upstream, format!("{host} answered for another account than {who}")).because(error)
        }
        SessionError::Unusable(_) => {
            OciError::new(Code::Upstream, format!("{host} gave an unusable answer to the sign-in of {who}"))
                .with_retry_after(LIMITED)
                .because(error)
        }
    }
}
