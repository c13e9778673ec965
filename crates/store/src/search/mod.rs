//! What searching needs, kept beside the index: a document a repository, and its postings under each of its keys.
//!
//! Nothing of it is written in the transaction of a batch. What a batch and what the network's answers touched stands in the
//! change log anyway: [`refresh`] reads what is new in it (`log`), looks at those repositories again (`derive`), compares
//! (`document`) and writes what is different (`write`). An index to which nothing happens is right when `refresh` says that
//! there is nothing left.

mod derive;
mod document;
mod log;
mod write;

pub(crate) use document::platform_answers;
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::StoreError;

/// How many repositories are looked at in one transaction.
const STEP: i64 = 500;
/// And how many when a whole index is made.
const BULK: i64 = 5_000;

/// Does a bounded part of what there is to do; whether there is more. Several may try: they take turns.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn refresh(client: &mut Client) -> Result<bool, StoreError> {
    if !log::is_due(client).await? {
        return Ok(false);
    }
    let tx = begin(client).await?;
    log::read(&tx).await?;
    let more = step(&tx, STEP).await?;
    tx.commit().await?;
    Ok(more)
}

/// Does all that there is to do.
///
/// # Errors
/// As [`refresh`].
pub async fn settle(client: &mut Client) -> Result<(), StoreError> {
    while refresh(client).await? {}
    Ok(())
}

/// Makes everything anew, quickly: for a generation that nobody searches yet. The tables are locked meanwhile.
///
/// # Errors
/// As [`refresh`].
pub async fn build(client: &mut Client) -> Result<(), StoreError> {
    let tx = begin(client).await?;
    log::forget(&tx).await?;
    tx.batch_execute(
        "TRUNCATE search_doc, search_keys, search_posting, search_word, search_spelling RESTART IDENTITY;
         ALTER TABLE search_posting DROP CONSTRAINT search_posting_pkey",
    )
    .await?;
    log::read(&tx).await?;
    while bulk_step(&tx).await? {}
    write::count_words(&tx).await?;
    tx.batch_execute("ALTER TABLE search_posting ADD PRIMARY KEY (word, static, doc)").await?;
    tx.commit().await?;
    Ok(client
        .batch_execute("VACUUM ANALYZE search_posting, search_doc, search_keys, search_word, search_spelling")
        .await?)
}

/// Rows are looked up by their keys, whatever the tables' statistics say of them.
async fn begin(client: &mut Client) -> Result<Transaction<'_>, StoreError> {
    let tx = client.transaction().await?;
    let plans = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
    tx.batch_execute(plans).await?;
    Ok(tx)
}

async fn step(tx: &Transaction<'_>, most: i64) -> Result<bool, StoreError> {
    let (dids, names) = log::take(tx, most).await?;
    let more = dids.len() as i64 == most;
    if !dids.is_empty() {
        let found = derive::documents(tx, &dids, &names).await?;
        let known = write::known(tx, &dids, &names).await?;
        write::changes(tx, found, known).await?;
    }
    Ok(more)
}

async fn bulk_step(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let (dids, names) = log::take(tx, BULK).await?;
    let found = derive::documents(tx, &dids, &names).await?;
    write::insert(tx, &found.into_values().collect::<Vec<_>>()).await?;
    Ok(dids.len() as i64 == BULK)
}

/// Of how many repositories search knows, and how many it has still to look at.
///
/// # Errors
/// As [`refresh`].
pub async fn counts(client: &impl GenericClient) -> Result<(i64, i64), StoreError> {
    let row =
        client.query_one("SELECT (SELECT count(*) FROM search_doc), (SELECT count(*) FROM search_dirty)", &[]).await?;
    Ok((row.get(0), row.get(1)))
}
