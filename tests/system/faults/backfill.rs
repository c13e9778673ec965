//! `crowsnest backfill` is killed half-way and started again: it goes on where it was, and leaves what one leaves that nobody
//! disturbed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::database::Database;
use super::events::Past;
use super::network::{self, Readings};
use super::stream::Stream;
use crate::harness::crowsnest::command;
use crate::harness::scratch::Scratch;
use crate::harness::{eventually, passed};
use crate::index::history::ACCOUNTS;

const PATIENCE: Duration = Duration::from_secs(60);
/// How many repositories are read before the first one ends.
const LET_THROUGH: usize = 24;
/// How many different ones those are at least.
const ENOUGH: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_goes_on_where_it_was() -> Result<()> {
    let scratch = Scratch::new()?;
    let mut past = Past::new(2, 12);
    // Who is hidden, and when that is learnt, is another test's.
    past.histories.iter_mut().for_each(|history| history.active = [true; ACCOUNTS]);
    let (listed, past) = (past.accounts(), Arc::new(past));
    let stream = Arc::new(Stream::start(past.clone()).await?);
    stream.release(past.events.len(), past.events.len());
    let readings = Arc::new(Readings::new(listed.clone(), LET_THROUGH));
    let network = network::start(past, stream, readings.clone()).await?;
    let mut database = Database::start(&scratch).await?;

    let mut first = backfill(&database, &network);
    let mut first = first.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let half = async || {
        let waiting = database.readings_waiting().await.unwrap_or_else(|_| listed.clone());
        // Some of those that are let through read a hold once more.
        let done = listed.difference(&waiting).count();
        Ok((readings.begun().len() > LET_THROUGH && done >= ENOUGH).then_some(()))
    };
    eventually("some repositories are read, and others wait", PATIENCE, half).await?;
    first.kill().await?;
    let waiting = database.readings_waiting().await?;
    let done: BTreeSet<String> = listed.difference(&waiting).cloned().collect();
    let begun = readings.begun();
    ensure!((ENOUGH..listed.len()).contains(&done.len()), "{} of {} are done", done.len(), listed.len());

    readings.let_all_through();
    let output = backfill(&database, &network).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = readings.begun().split_off(begun.len());
    // A hold whose stream cannot be followed is read again whenever that is tried.
    let holds = database.holds().await?;
    let twice: Vec<&String> = after.iter().filter(|did| done.contains(*did) && !holds.contains(*did)).collect();
    ensure!(twice.is_empty(), "read again, though done: {twice:?}");
    let read: BTreeSet<String> = begun.into_iter().chain(after).collect();
    let missed: Vec<&String> = listed.difference(&read).collect();
    ensure!(missed.is_empty(), "never read: {missed:?}");

    let disturbed = digests(&database).await?;
    database.renew("undisturbed").await?;
    let output = backfill(&database, &network).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let undisturbed = digests(&database).await?;
    ensure!(disturbed == undisturbed, "disturbed:   {disturbed}undisturbed: {undisturbed}");
    println!("{} of {} repositories were read before the end: {}", done.len(), listed.len(), disturbed.trim());
    passed()
}

fn backfill(database: &Database, network: &str) -> tokio::process::Command {
    let mut command = command(&["backfill", "--database-url", &database.url(), "--plc-url", network]);
    command.args(["--relay-url", network, "--handle-resolver-url", network, "--allow-private-network"]);
    command
}

async fn digests(database: &Database) -> Result<String> {
    let output = command(&["fingerprint", "--json", "--full", "--database-url", &database.url()]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
