//! Commands that read the network into the index, or compare the two. They work beside a running indexer and without one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what these commands are for")]

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::anyhow;
use indexer::{
    IndexerConfig,
    reconcile::{Reconciled, reconcile as compare},
};
use serde_json::{Value, json};
use service::{
    Postgres,
    config::{DatabaseArgs, NetworkArgs},
};
use store::backfill::{Progress, Unread};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Backfill, Reconcile},
    data_dir,
    failure::Failure,
    report,
    services::Dial,
};

/// How wide the progress bar is, in characters.
const BAR: usize = 30;

#[cfg_attr(not(feature = "devnet"), expect(unused_mut, reason = "only the demo has addresses of its own"))]
async fn open(database: &DatabaseArgs, mut network: NetworkArgs) -> Result<(Postgres, IndexerConfig), Failure> {
    #[cfg(feature = "devnet")]
    crate::demo::find(database, &mut network)?;
    let mut postgres = Postgres::open(database).await.map_err(Failure::setup)?;
    postgres.keep_running();
    let Dial { outbound, resolver } = Dial::new(&network)?;
    let config = IndexerConfig::new(postgres.url().to_owned(), Vec::new(), outbound, resolver, network.relay_url);
    Ok((postgres, config))
}

/// `crowsnest backfill`
pub async fn backfill(args: Backfill, stop: CancellationToken) -> Result<(), Failure> {
    if args.no_wait {
        data_dir::must_have_index(&args.database)?;
    } else {
        data_dir::make(&args.database.data_dir)?;
    }
    let (postgres, config) = open(&args.database, args.network.clone()).await?;
    let ended = if args.no_wait {
        indexer::queue_backfill(postgres.url(), &args.did).await?;
        say(
            args.json,
            || json!({ "backfill": "queued" }),
            "queued; crowsnest status shows how far the running indexer is",
        );
        Ok(())
    } else {
        let mut shown = Shown::new(args.json);
        let progress = indexer::backfill(&config, &args.did, &stop, |progress| shown.tell(progress)).await?;
        shown.end();
        told(&progress, args.json)
    };
    postgres.stop().await?;
    ended
}

fn told(progress: &Progress, as_json: bool) -> Result<(), Failure> {
    let Progress { total, done, failed, unserved, put_off, put_off_until, ahead, finished, trouble, unread } = progress;
    let answer = || {
        let unread: Vec<Value> = unread.iter().map(|of| json!({ "did": of.did, "reason": of.reason })).collect();
        json!({ "total": total, "done": done, "failed": failed, "unserved": unserved, "put_off": put_off, "put_off_until": put_off_until,
                "ahead": ahead, "finished": finished, "error": trouble, "unread": unread })
    };
    let failure = match (trouble, finished, failed) {
        (Some(trouble), ..) => anyhow!("the repositories cannot be listed: {}", on_a_line(trouble)),
        (None, false, _) => return Err(anyhow!("interrupted; the same command goes on where this one ended").into()),
        (None, true, 1..) => anyhow!("{}", could_not(progress)),
        (None, true, _) => {
            let later = put_off_until.map_or_else(String::new, |until| {
                let until = until.format("%Y-%m-%d %H:%M UTC");
                format!("; {put_off} of them over a quota, to be read again from {until} on")
            });
            let gone = match unserved {
                0 => String::new(),
                _ => format!("; {unserved} accounts are served by nobody: {}", named(*unserved, unread)),
            };
            let ahead = match ahead {
                0 => String::new(),
                _ => format!("; {ahead} of them are behind what the index has, and are read again for some minutes"),
            };
            say(as_json, answer, &format!("{done} repositories read{gone}{later}{ahead}"));
            return Ok(());
        }
    };
    if as_json {
        println!("{}", answer());
    }
    Err(failure.into())
}

/// How many could not be read, and the first few of them with the reason.
fn could_not(progress: &Progress) -> String {
    let Progress { total, failed, unread, .. } = progress;
    if let (Some(1), [one]) = (total, unread.as_slice()) {
        return format!("{} could not be read: {}", one.did, on_a_line(&one.reason));
    }
    let named = named(*failed, unread);
    format!("{failed} of {} repositories could not be read: {named}", total.unwrap_or_default())
}

/// The first few of so many, with the reason of each.
fn named(all: i64, first: &[Unread]) -> String {
    let mut named: Vec<String> = first.iter().map(|of| format!("{} ({})", of.did, on_a_line(&of.reason))).collect();
    if all > first.len() as i64 {
        named.push("…".to_owned());
    }
    named.join(", ")
}

fn on_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn say(as_json: bool, answer: impl FnOnce() -> Value, line: &str) {
    if as_json { println!("{}", answer()) } else { println!("{line}") }
}

/// The progress: a bar on a terminal, a line each time that it changes elsewhere.
struct Shown {
    silent: bool,
    terminal: bool,
    last: String,
}

impl Shown {
    fn new(silent: bool) -> Self {
        Self { silent, terminal: io::stderr().is_terminal(), last: String::new() }
    }

    fn tell(&mut self, progress: &Progress) {
        let line = line(progress, self.terminal);
        if self.silent || line == self.last {
            return;
        }
        if self.terminal {
            eprint!("\r\x1b[K{line}");
            // Nothing is left to tell that the terminal is gone.
            let _ = io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
        self.last = line;
    }

    fn end(&self) {
        if self.terminal && !self.last.is_empty() {
            eprintln!();
        }
    }
}

fn line(progress: &Progress, bar: bool) -> String {
    let Some(total) = progress.total else { return "listing repositories".to_owned() };
    let failed = if progress.failed == 0 { String::new() } else { format!(", {} could not be read", progress.failed) };
    let counted = format!("{} of {total} repositories{failed}", progress.done);
    if !bar {
        return counted;
    }
    let of = usize::try_from(total.max(1)).unwrap_or(1);
    let full = (usize::try_from(progress.done).unwrap_or_default() * BAR / of).min(BAR);
    format!("[{}{}] {counted}", "#".repeat(full), " ".repeat(BAR - full))
}

/// `crowsnest reconcile`
pub async fn reconcile(args: Reconcile, stop: CancellationToken) -> Result<(), Failure> {
    data_dir::must_have_index(&args.database)?;
    let (postgres, config) = open(&args.database, args.network.clone()).await?;
    report::generation(&postgres).await?;
    let comparing = Box::pin(compare(&config, args.did, args.dry_run, &stop));
    let Some(found) = stop.run_until_cancelled(comparing).await else {
        postgres.stop().await?;
        return Err(anyhow!("interrupted").into());
    };
    let found = found?;
    print(&found, args.json);
    postgres.stop().await?;
    match found.is_equal() {
        true => Ok(()),
        false if found.differences.is_empty() => Err(anyhow!("not all accounts could be compared").into()),
        false => Err(anyhow!("the index and the network differ").into()),
    }
}

/// So many of something.
fn number(n: u64, of: &str) -> String {
    format!("{n} {of}{}", if n == 1 { "" } else { "s" })
}

fn print(found: &Reconciled, as_json: bool) {
    let Reconciled { accounts, records, differences, repaired, unread } = found;
    if as_json {
        let unread: Vec<Value> = unread.iter().map(|(did, why)| json!({ "did": did, "reason": why })).collect();
        let answer = json!({ "accounts": accounts, "records": records, "differences": differences,
                             "repaired": repaired, "unread": unread });
        println!("{answer}");
        return;
    }
    for difference in repaired {
        println!("repaired {difference}");
    }
    for difference in differences {
        println!("{difference}");
    }
    for (did, why) in unread {
        println!("not compared: {did}: {why}");
    }
    println!(
        "{}, {}: {}, {} repaired, {} not compared",
        number(*accounts, "account"),
        number(*records, "record"),
        number(differences.len() as u64, "difference"),
        repaired.len(),
        number(unread.len() as u64, "account"),
    );
}

#[cfg(test)]
mod tests {
    use store::backfill::Unread;

    use super::{Progress, could_not, line, number, told};

    #[test]
    fn the_bar_fills() {
        let at = |done, total| Progress { total, done, ..Progress::default() };
        assert_eq!(line(&at(0, None), true), "listing repositories");
        assert_eq!(line(&at(1, Some(3)), true), "[##########                    ] 1 of 3 repositories");
        assert_eq!(line(&at(0, Some(0)), true), "[                              ] 0 of 0 repositories");
        let failed = Progress { failed: 2, ..at(3, Some(5)) };
        assert_eq!(line(&failed, false), "3 of 5 repositories, 2 could not be read");
    }

    #[test]
    fn one_is_not_several() {
        assert_eq!([0, 1, 2].map(|n| number(n, "account")), ["0 accounts", "1 account", "2 accounts"]);
    }

    #[test]
    fn what_could_not_be_read_is_named() {
        let of = |name: &str| Unread { did: format!("did:plc:{name}"), reason: "no\nanswer".into() };
        let at = |total, unread: &[&str]| {
            let unread = unread.iter().map(|name| of(name)).collect();
            Progress { total: Some(total), failed: 3, finished: true, unread, ..Progress::default() }
        };
        assert_eq!(could_not(&at(1, &["a"])), "did:plc:a could not be read: no answer");
        let few = "3 of 9 repositories could not be read: did:plc:a (no answer), did:plc:b (no answer), …";
        assert_eq!(could_not(&at(9, &["a", "b"])), few);
        assert!(told(&at(9, &["a"]), false).is_err());
        told(&Progress { failed: 0, ..at(9, &[]) }, false).unwrap();
    }
}
