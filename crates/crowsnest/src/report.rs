//! Commands that do one thing to the database, or look, and print.
#![expect(clippy::print_stdout, reason = "printing is what these commands are for")]

use std::collections::BTreeMap;

use anyhow::anyhow;
use chrono::Utc;
use serde_json::json;
use service::Postgres;
use store::{
    Connection, Reader, Schema,
    fingerprint::{self, Covered},
    queries::{BackfillView, SourceView, StatusView, lag_ms},
};

use crate::{
    cli::{Fingerprint, Read},
    data_dir,
    failure::Failure,
};

/// The live generation of an index that is there: whoever only looks makes none.
pub async fn generation(postgres: &Postgres) -> Result<i32, Failure> {
    match store::inspect(postgres.url()).await? {
        Schema::Ready(generation) => Ok(generation),
        Schema::Absent => Err(Failure::setup(
            "there is no index in this database: run crowsnest up or crowsnest migrate on it first, or name another with --database-url",
        )),
        Schema::Old => Err(Failure::setup("an older version made this index: crowsnest migrate brings it up to date")),
    }
}

/// An open database and its reader.
async fn open(args: &Read) -> Result<(Postgres, Reader), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = generation(&postgres).await?;
    let reader = Reader::connect(postgres.url(), generation).await?;
    Ok((postgres, reader))
}

/// An open database and a connection that sees the live generation.
async fn connect(args: &Read) -> Result<(Postgres, Connection), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = generation(&postgres).await?;
    let connection = store::connect(postgres.url(), Some(generation)).await?;
    Ok((postgres, connection))
}

/// `crowsnest migrate`
pub async fn migrate(args: Read) -> Result<(), Failure> {
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = store::prepare(postgres.url()).await?;
    if args.json {
        println!("{}", json!({ "generation": generation }));
    } else {
        println!("the schema is up to date; the live generation is idx_{generation}");
    }
    Ok(postgres.stop().await?)
}

/// `crowsnest fingerprint`
pub async fn fingerprint(args: Fingerprint) -> Result<(), Failure> {
    let Fingerprint { read, full } = args;
    let (postgres, Connection { mut client, .. }) = connect(&read).await?;
    let taken = fingerprint::take(&mut client).await?;
    let recount = if full { Some(fingerprint::recount(&mut client).await?) } else { None };
    let Covered { digest, rows } = &taken.records;
    let wrong = recount.as_ref().is_some_and(|recount| !recount.wrong.is_empty());
    if read.json {
        let mut answer = json!({ "records": digest, "live": rows, "view": taken.view.digest });
        if let Some(recount) = &recount {
            let tables = taken.tables.iter();
            let tables: BTreeMap<_, _> = tables.map(|(name, of)| (name, json!([of.digest, of.rows]))).collect();
            answer["tables"] = json!(tables);
            answer["recount"] = json!({ "records": recount.records.digest, "wrong": recount.wrong });
        }
        println!("{answer}");
    } else {
        println!("records {digest} ({rows} live records)");
        println!("view    {} ({} rows)", taken.view.digest, taken.view.rows);
        if let Some(recount) = &recount {
            for (name, of) in &taken.tables {
                println!("  {name:<10} {} ({} rows)", of.digest, of.rows);
            }
            println!("recount {} ({} live records)", recount.records.digest, recount.records.rows);
            for did in &recount.wrong {
                println!("  {did}: its sum is not that of its records");
            }
        }
    }
    postgres.stop().await?;
    if wrong {
        Err(anyhow!("the kept sums are not those of the ledger; crowsnest backfill --did <DID> makes them anew").into())
    } else {
        Ok(())
    }
}

/// `crowsnest status`
pub async fn status(args: Read) -> Result<(), Failure> {
    let (postgres, reader) = open(&args).await?;
    let status = reader.status().await?;
    let (fingerprint, _) = reader.records_fingerprint().await?;
    let lag_ms = lag_ms(None, &status.sources, Utc::now());
    if args.json {
        let mut answer = serde_json::to_value(&status)?;
        answer["version"] = json!(env!("CARGO_PKG_VERSION"));
        answer["lag_ms"] = json!(lag_ms);
        answer["fingerprint"] = json!(fingerprint);
        println!("{answer}");
    } else {
        println!("crowsnest {}, records {fingerprint}", env!("CARGO_PKG_VERSION"));
        lines(&status, lag_ms).iter().for_each(|line| println!("{line}"));
    }
    Ok(postgres.stop().await?)
}

/// The status for people.
fn lines(status: &StatusView, lag_ms: Option<i64>) -> Vec<String> {
    let StatusView { counts, sources, gaps, backfill } = status;
    let mut lines = vec![
        format!(
            "{} repositories, {} manifests, {} tags, {} stars, {} holds",
            counts.repositories, counts.manifests, counts.tags, counts.stars, counts.holds
        ),
        format!("{} records of {} accounts, {} of them invalid", counts.records, counts.accounts, counts.invalid),
        format!("{} jobs wait, {} events were refused", counts.jobs, counts.rejects),
    ];
    lines.extend(backfill.as_ref().map(reading));
    lines.extend(lag_ms.map(|lag| format!("a source was last heard {}.{:03} s ago", lag / 1_000, lag % 1_000)));
    lines.extend(sources.iter().map(source));
    for gap in gaps.iter().filter(|gap| gap.repaired_at.is_none()) {
        let missing = gap.missing.map_or_else(String::new, |missing| {
            format!(", not repaired: {missing} accounts could not be read and are tried again")
        });
        let found = gap.detected_at.to_rfc3339();
        lines.push(format!("{} left a gap ({}), found {found}{missing}", gap.source, gap.reason));
    }
    lines
}

/// How far the reading of every repository is, or how it ended.
fn reading(backfill: &BackfillView) -> String {
    let BackfillView { total, done, failed, started_at, finished_at } = backfill;
    let failed = if *failed == 0 { String::new() } else { format!(", {failed} could not be read") };
    match finished_at {
        Some(at) => format!("every repository was read by {}: {total}{failed}", at.to_rfc3339()),
        // Nothing is counted before they are listed.
        None if *total == 0 => format!("repositories are listed since {}, to be read", started_at.to_rfc3339()),
        None => format!("every repository is read since {}: {done} of {total}{failed}", started_at.to_rfc3339()),
    }
}

fn source(source: &SourceView) -> String {
    let state = match (source.state.as_deref().unwrap_or("former"), source.heard_at) {
        (state @ ("stopped" | "stalled"), Some(heard)) => format!("{state} (last heard {})", heard.to_rfc3339()),
        (state, _) => state.to_owned(),
    };
    match (source.cursor, source.updated_at) {
        (Some(cursor), Some(moved)) => format!("{} {state} at {cursor}, {}", source.url, moved.to_rfc3339()),
        _ => format!("{} {state}", source.url),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use store::queries::{BackfillView, Counts, SourceView, StatusView};

    use super::{lag_ms, lines};

    fn status(backfill: Option<BackfillView>) -> StatusView {
        let counts = Counts { holds: 4, ..Counts::default() };
        StatusView { counts, sources: Vec::new(), gaps: Vec::new(), backfill }
    }

    #[test]
    fn a_reading_is_told_while_it_goes_on_and_when_it_ended() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let reading = |total, failed, finished_at| {
            let backfill = BackfillView { total, done: 7, failed, started_at: at, finished_at };
            lines(&status(Some(backfill)), Some(1_234)).remove(3)
        };
        let since = "2023-11-14T22:13:20+00:00";
        assert_eq!(reading(9, 0, None), format!("every repository is read since {since}: 7 of 9"));
        assert_eq!(reading(9, 2, Some(at)), format!("every repository was read by {since}: 9, 2 could not be read"));
        assert_eq!(reading(0, 0, None), format!("repositories are listed since {since}, to be read"));
        let told = lines(&status(None), Some(1_234));
        assert!(told[0].ends_with(" 4 holds") && told[3] == "a source was last heard 1.234 s ago", "{told:?}");
    }

    #[test]
    fn the_lag_is_since_anything_was_heard() {
        let now = Utc::now();
        let ago = |seconds| now - TimeDelta::seconds(seconds);
        let mut status = status(None);
        assert_eq!(lag_ms(None, &status.sources, now), None);
        let source = |heard_at| SourceView {
            url: "wss://a.example/subscribe".into(),
            kind: None,
            state: None,
            cursor: Some(7),
            safe_time: Some(ago(60).timestamp_micros()),
            updated_at: Some(ago(70)),
            heard_at,
        };
        status.sources = vec![source(None)];
        assert_eq!(lag_ms(None, &status.sources, now), Some(60_000));
        status.sources.push(source(Some(ago(2))));
        assert_eq!(lag_ms(None, &status.sources, now), Some(2_000));
    }
}
