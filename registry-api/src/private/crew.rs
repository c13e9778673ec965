//! A hold's captain and crew, read at the hold itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use moka::future::Cache;
use outbound::{HoldTarget, Pds, PdsError, pds::RecordEntry};
use tokio::time::timeout;
use types::{
    Collection, Did, RecordId,
    permission::Declared,
    records::{self, CrewOf, Member, Record},
};
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    holds::Hold,
};

/// For how long what was read is believed: who was admitted just now does not wait, and who tries again and again costs the
/// hold no more.
const BELIEVED: Duration = Duration::from_secs(5);
/// The most pages of a crew that are read, of 100 members.
const MAX_PAGES: usize = 50;

/// The crews that were read in the last seconds.
pub(crate) struct Crews(Cache<Did, Arc<Crew>>);

/// Who may do what at a hold, by its own records.
pub(super) struct Crew {
    pub declared: Declared,
    permissions: HashMap<Did, Vec<String>>,
}

impl Crews {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(1_000).time_to_live(BELIEVED).build())
    }
}

impl Crew {
    /// What the crew records give to an account.
    pub fn permissions_of(&self, account: &Did) -> &[String] {
        self.permissions.get(account).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Reads a hold's captain and crew, once for all who ask in the same seconds.
pub(super) async fn read(registry: &Registry, hold: &Hold, did: &Did) -> Result<Arc<Crew>> {
    let HoldTarget::Current { endpoint, .. } = &hold.target else {
        return Err(OciError::new(Code::Internal, Code::Internal.row().2));
    };
    let reading = Box::pin(async {
        let _permits = registry.read_through.permit_for(registry, endpoint).await?;
        let reading = Box::pin(fetch(registry, did, endpoint));
        let silent = || {
            let message = format!("the hold {did} does not say at the moment who may read its blobs");
            OciError::new(Code::Unavailable, message)
        };
        match timeout(registry.config.patience.pds, reading).await {
            Ok(Ok(Some(crew))) => Ok(Arc::new(crew)),
            Ok(Ok(None)) => {
                let message = format!("the hold {did} is private, and declares no captain who could admit anyone");
                Err(OciError::new(Code::Denied, message))
            }
            Ok(Err(error)) => Err(silent().because(&error)),
            Err(elapsed) => Err(silent().because(&elapsed)),
        }
    });
    registry.crews.0.try_get_with_by_ref(did, reading).await.map_err(|error: Arc<OciError>| (*error).clone())
}

/// `None` when the hold has no captain record.
async fn fetch(registry: &Registry, did: &Did, endpoint: &Url) -> std::result::Result<Option<Crew>, PdsError> {
    let captain = registry.holds.captain(did, endpoint).await?;
    let captain = captain.and_then(|entry| decode(did, Collection::Captain, &entry));
    let Some(Record::Hold(captain)) = captain else { return Ok(None) };
    let mut permissions = HashMap::<Did, Vec<String>>::new();
    let pds = Pds::new(registry.outbound.clone(), endpoint.clone());
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let page = pds.list_records(did, Collection::Crew, cursor.as_deref(), 100).await?;
        for entry in &page.records {
            if let Some(Record::Crew(crew)) = decode(did, Collection::Crew, entry)
                && let (CrewOf::Hold(_), Member::Did(member)) = (crew.hold, crew.member)
            {
                permissions.entry(member).or_default().extend(crew.permissions);
            }
        }
        if page.is_last() {
            break;
        }
        cursor = page.cursor;
    }
    Ok(Some(Crew { declared: Declared::Captain { owner: captain.owner, public: captain.public }, permissions }))
}

/// What counts of a record in the hold's own repository.
fn decode(hold: &Did, collection: Collection, entry: &RecordEntry) -> Option<Record> {
    let id = RecordId { did: hold.clone(), collection, rkey: entry.rkey().parse().ok()? };
    records::decode(&id, entry.value().as_bytes()).ok()
}
