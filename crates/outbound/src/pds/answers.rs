use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;
use types::{Cid, Did, Tid};

/// A record as a PDS gives it.
#[derive(Clone, Debug)]
pub struct RecordEntry {
    /// `at://<did>/<collection>/<rkey>`, as the PDS wrote it. The repository is the one that was asked for, whatever
    /// stands here.
    pub uri: String,
    /// The record's CID by the word of the PDS; `None` when it names none, or something that is no CID.
    pub cid: Option<Cid>,
    /// All of this as it came: JSON. It shares the memory of the whole answer.
    pub came: Bytes,
    /// The part of it that is the record.
    value: Bytes,
}

impl RecordEntry {
    /// Reads the JSON of a `getRecord`, or an item of `listRecords`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(came: Bytes) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Item<'a> {
            uri: String,
            #[serde(default, deserialize_with = "lenient_cid")]
            cid: Option<Cid>,
            #[serde(borrow)]
            value: &'a RawValue,
        }
        let Item { uri, cid, value } = serde_json::from_slice(&came)?;
        let value = came.slice_ref(value.get().as_bytes());
        Ok(Self { uri, cid, came, value })
    }

    /// The record's JSON, as it came.
    pub fn value(&self) -> &str {
        // The parser has taken it for text.
        std::str::from_utf8(&self.value).unwrap_or_default()
    }

    /// The record's key, unparsed: everything after the collection.
    pub fn rkey(&self) -> &str {
        self.uri.strip_prefix("at://").and_then(|rest| rest.splitn(3, '/').nth(2)).unwrap_or_default()
    }
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The records, newest key first.
    pub records: Vec<RecordEntry>,
    /// Items that are no records, as they came.
    pub unreadable: Vec<Bytes>,
    /// Where the next page begins; `None` on the last one.
    pub cursor: Option<String>,
}

impl RecordPage {
    pub(super) fn read(body: &Bytes) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Page<'a> {
            #[serde(borrow)]
            records: Vec<&'a RawValue>,
            #[serde(default)]
            cursor: Option<String>,
        }
        let Page { records, cursor } = serde_json::from_slice(body)?;
        let mut page = Self { records: Vec::with_capacity(records.len()), unreadable: Vec::new(), cursor };
        for item in records {
            let came = body.slice_ref(item.get().as_bytes());
            match RecordEntry::read(came.clone()) {
                Ok(entry) => page.records.push(entry),
                Err(_) => page.unreadable.push(came),
            }
        }
        Ok(page)
    }

    /// How many bytes its items have.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(|entry| &entry.came).chain(&self.unreadable).map(Bytes::len).sum()
    }

    /// Whether the list ends here.
    pub fn is_last(&self) -> bool {
        self.cursor.is_none() || self.records.is_empty() && self.unreadable.is_empty()
    }
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
