//! Commands that do one thing to the database, or look, and print.
#![expect(clippy::print_stdout, reason = "printing is what these commands are for")]

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde_json::json;
use service::Postgres;
use store::{
    Connection, Reader,
    fingerprint::{self, Covered},
};

use crate::{
    cli::{Fingerprint, Read},
    data_dir,
    failure::Failure,
};

/// An open database and its reader.
async fn open(args: &Read) -> Result<(Postgres, Reader), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = store::prepare(postgres.url()).await?;
    let reader = Reader::connect(postgres.url(), generation).await?;
    Ok((postgres, reader))
}

/// An open database and a connection that sees the live generation.
async fn connect(args: &Read) -> Result<(Postgres, Connection), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = store::prepare(postgres.url()).await?;
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
    if args.json {
        println!("{}", serde_json::to_string(&status)?);
    } else {
        let counts = &status.counts;
        println!(
            "{} repositories, {} manifests, {} tags, {} stars",
            counts.repositories, counts.manifests, counts.tags, counts.stars
        );
        println!("{} records of {} accounts, {} of them invalid", counts.records, counts.accounts, counts.invalid);
        println!("{} jobs wait, {} events were refused", counts.jobs, counts.rejects);
        for source in &status.sources {
            let state = match (source.state.as_deref().unwrap_or("former"), source.heard_at) {
                (state @ ("stopped" | "stalled"), Some(heard)) => {
                    format!("{state} (last heard {})", heard.to_rfc3339())
                }
                (state, _) => state.to_owned(),
            };
            match (source.cursor, source.updated_at) {
                (Some(cursor), Some(moved)) => println!("{} {state} at {cursor}, {}", source.url, moved.to_rfc3339()),
                _ => println!("{} {state}", source.url),
            }
        }
        for gap in status.gaps.iter().filter(|gap| gap.repaired_at.is_none()) {
            let missing = gap.missing.map_or_else(String::new, |missing| {
                format!(", not repaired: {missing} accounts could not be read and are tried again")
            });
            println!("{} left a gap ({}), found {}{missing}", gap.source, gap.reason, gap.detected_at.to_rfc3339());
        }
    }
    Ok(postgres.stop().await?)
}
