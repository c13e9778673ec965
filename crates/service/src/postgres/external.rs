//! A Postgres that was given with `--database-url`.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::error::PostgresError;
use super::{OLDEST_MAJOR, connect};

const PATIENCE: Duration = Duration::from_secs(10);

/// Checks that the URL is one, that a new enough Postgres answers there and lets us in.
pub(super) async fn check(text: &str) -> Result<(), PostgresError> {
    let url = Url::parse(text).map_err(|error| PostgresError::Url { reason: error.to_string() })?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(PostgresError::Url { reason: format!("found {}://", url.scheme()) });
    }
    if let Err(error) = text.parse::<tokio_postgres::Config>() {
        return Err(PostgresError::Url { reason: one_line(&error) });
    }
    let unreachable = |reason| PostgresError::Unreachable { url: without_password(&url), reason };
    let version = timeout(PATIENCE, version(text))
        .await
        .map_err(|_| unreachable(format!("no answer in {} s", PATIENCE.as_secs())))?
        .map_err(|error| unreachable(one_line(&error)))?;
    if version / 10_000 < OLDEST_MAJOR {
        let found = version / 10_000;
        return Err(PostgresError::TooOld { url: without_password(&url), found, oldest: OLDEST_MAJOR });
    }
    Ok(())
}

/// The server's version number: 150007 is 15.7.
async fn version(url: &str) -> Result<u32, tokio_postgres::Error> {
    let row = connect(url).await?.query_one("SELECT current_setting('server_version_num')::int", &[]).await?;
    Ok(row.try_get::<_, i32>(0)?.unsigned_abs())
}

fn without_password(url: &Url) -> String {
    let mut shown = url.clone();
    // Refused only for URLs that cannot have a password.
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.to_string()
}

/// The innermost cause, which says most: `Connection refused`, `password authentication failed for user "x"`.
fn one_line(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(refusal), _) => refusal.message().to_owned(),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => error.to_string(),
    }
    .replace('\n', " ")
}
