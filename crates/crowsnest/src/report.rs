//! Commands that do one thing to the database, or look, and print.
#![expect(clippy::print_stdout, reason = "printing is what these commands are for")]

use serde_json::json;
use service::Postgres;
use store::Reader;

use crate::{cli::Read, data_dir, failure::Failure};

/// An open database and its reader.
async fn open(args: &Read) -> Result<(Postgres, Reader), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    let generation = store::prepare(postgres.url()).await?;
    let reader = Reader::connect(postgres.url(), generation).await?;
    Ok((postgres, reader))
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

/// `crowsnest backfill`
pub async fn backfill(args: Read) -> Result<(), Failure> {
    data_dir::must_have_index(&args.database)?;
    let postgres = Postgres::open(&args.database).await.map_err(Failure::setup)?;
    indexer::backfill(postgres.url()).await?;
    if args.json {
        println!("{}", json!({ "backfill": "queued" }));
    } else {
        println!("queued; the running indexer reads every repository, and crowsnest status shows how far it is");
    }
    Ok(postgres.stop().await?)
}

/// `crowsnest fingerprint`
pub async fn fingerprint(args: Read) -> Result<(), Failure> {
    let (postgres, reader) = open(&args).await?;
    let (records, live) = reader.records_fingerprint().await?;
    if args.json {
        println!("{}", json!({ "records": records, "live": live }));
    } else {
        println!("records {records} ({live} live records)");
    }
    Ok(postgres.stop().await?)
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
            println!("{} at {}, {}", source.url, source.cursor, source.updated_at.to_rfc3339());
        }
    }
    Ok(postgres.stop().await?)
}
