use store::{Connection, StoreError, connect};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// The connection on which the registry tells what it saw; opened when it is needed, and again when it broke.
pub(crate) struct Writes {
    url: String,
    generation: i32,
    connection: Mutex<Option<Connection>>,
}

impl Writes {
    pub fn new(url: String, generation: i32) -> Self {
        Self { url, generation, connection: Mutex::new(None) }
    }

    /// The connection, the caller's alone until it is dropped.
    pub async fn lock(&self) -> Result<MappedMutexGuard<'_, Connection>, StoreError> {
        let mut slot = self.connection.lock().await;
        let usable = slot.take().filter(|connection| !connection.client.is_closed());
        let connection = match usable {
            Some(connection) => connection,
            None => connect(&self.url, Some(self.generation)).await?,
        };
        Ok(MutexGuard::map(slot, |slot| slot.insert(connection)))
    }
}
