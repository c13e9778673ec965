use sea_orm::FromQueryResult;

use super::Reader;
use crate::StoreError;

impl Reader {
    /// The key that signs the addresses of pictures, the same for every process of this index.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn picture_key(&self) -> Result<Option<String>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            key: String,
        }
        let row: Option<Row> = self.one("SELECT key FROM picture_key", Vec::new()).await?;
        Ok(row.map(|row| row.key))
    }
}
