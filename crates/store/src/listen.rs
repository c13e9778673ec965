use crate::{Connection, StoreError, connect};

/// Opens a connection that LISTENs to some channels; from its return on, nothing that is told on them is missed.
///
/// # Errors
/// As [`connect`].
pub async fn listen(url: &str, channels: &[&str]) -> Result<Connection, StoreError> {
    let connection = connect(url, None).await?;
    for channel in channels {
        // Names are constants of ours; LISTEN takes no parameters.
        connection.client.batch_execute(&format!("LISTEN {channel}")).await?;
    }
    Ok(connection)
}
