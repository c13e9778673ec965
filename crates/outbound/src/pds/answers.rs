use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;
use types::{Cid, Did, Tid};

/// A record as a PDS gives it.
#[derive(Clone, Debug, Deserialize)]
pub struct RecordEntry {
    /// `at://<did>/<collection>/<rkey>`, as the PDS wrote it. The repository is the one that was asked for, whatever
    /// stands here.
    pub uri: String,
    /// The record's CID by the word of the PDS; `None` when it names none, or something that is no CID.
    #[serde(default, deserialize_with = "lenient_cid")]
    pub cid: Option<Cid>,
    /// The record's JSON, as it came.
    pub value: Box<RawValue>,
}

impl RecordEntry {
    /// The record's key, unparsed: everything after the collection.
    pub fn rkey(&self) -> &str {
        self.uri.strip_prefix("at://").and_then(|rest| rest.splitn(3, '/').nth(2)).unwrap_or_default()
    }
}

/// A page of records.
#[derive(Clone, Debug, Deserialize)]
pub struct RecordPage {
    /// The records, newest key first.
    pub records: Vec<RecordEntry>,
    /// Where the next page begins; `None` on the last one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A repository's newest commit.
#[derive(Clone, Debug, Deserialize)]
pub struct LatestCommit {
    /// The commit's CID.
    #[serde(deserialize_with = "cid")]
    pub cid: Cid,
    /// Its revision.
    pub rev: Tid,
}

/// Whether an account is served.
#[derive(Clone, Debug, Deserialize)]
pub struct RepoStatus {
    /// Whose repository.
    pub did: Did,
    /// Decides alone whether it is shown.
    pub active: bool,
    /// Why not, in the protocol's words; may be unknown to us.
    #[serde(default)]
    pub status: Option<String>,
    /// The newest revision, of an active one.
    #[serde(default)]
    pub rev: Option<Tid>,
}

/// What a PDS says of a repository as a whole.
#[derive(Clone, Debug, Deserialize)]
pub struct RepoDescription {
    /// Whose repository.
    pub did: Did,
    /// The handle, by the word of the PDS.
    pub handle: String,
    /// The collections that have records.
    #[serde(default)]
    pub collections: Vec<String>,
}

fn lenient_cid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cid>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

fn cid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cid, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
