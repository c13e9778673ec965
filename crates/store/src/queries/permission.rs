//! What the index knows of an account's standing at a hold.

use sea_orm::FromQueryResult;
use types::{Did, permission::Declared};

use super::Reader;
use crate::StoreError;

/// An account's standing at a hold that declared itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What the hold declared.
    pub declared: Declared,
    /// What its crew records give to the account.
    pub permissions: Vec<String>,
}

#[derive(FromQueryResult)]
struct Row {
    owner: String,
    captain: bool,
    public: bool,
    permissions: Vec<String>,
}

impl Reader {
    /// The standing of an account at a hold; `None` when the hold is not known to have declared itself. A captain record
    /// beats legacy ones; of several legacy claimants none is believed that the hold is public.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn standing(&self, hold: &Did, account: &Did) -> Result<Option<Standing>, StoreError> {
        let row: Option<Row> = self
            .one(
                "SELECT h.owner, h.captain, h.public,
                        ARRAY(SELECT p FROM crew c, unnest(c.permissions) p
                              WHERE c.hold = h.hold AND c.member = $2) AS permissions
                 FROM hold h WHERE h.hold = $1 ORDER BY h.captain DESC, h.public LIMIT 1",
                vec![hold.as_str().into(), account.as_str().into()],
            )
            .await?;
        let Some(Row { owner, captain, public, permissions }) = row else { return Ok(None) };
        let declared = match captain {
            true => Declared::Captain { owner: owner.parse()?, public },
            false => Declared::Legacy { public },
        };
        Ok(Some(Standing { declared, permissions }))
    }
}
