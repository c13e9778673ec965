//! The site that is visited: an index of a size, crowsnest's web service over it, and an indexer that beats and now and then
//! tells of a change.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use store::{observe, search};
use tokio::{
    task::JoinHandle,
    time::{Instant, interval, timeout},
};

use super::{
    heavy::{self, Heavy},
    pages::{HEADERS, Kind},
};
use crate::{
    catalogue::{self, Place},
    dice::Dice,
    http::Connection,
    process::{self, Served},
    server::{self, Database, Server, process_seconds},
};

/// Repositories that are visited, at most.
const SAMPLE: usize = 20_000;
/// How often something changes: so often as on a day with half a million events, and never what is measured as hot.
const CHANGES: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Site {
    pub size: usize,
    pub places: Vec<Place>,
    pub heavy: Heavy,
    pub served: Served,
    pub database: Database,
    name: String,
    changes: JoinHandle<()>,
}

impl Site {
    /// Fills a database and serves it.
    pub async fn start(server: &Server, program: &Path, size: usize, json: bool) -> Result<Self> {
        let began = Instant::now();
        let name = format!("web_{size}");
        let mut database = server.database(&name).await?;
        let mut places = catalogue::fill(&database.client, size, size.div_ceil(SAMPLE)).await?;
        let heavy = heavy::plant(&database.client).await?;
        search::build(&mut database.client).await?;
        database.client.batch_execute("VACUUM ANALYZE").await?;
        database.settle().await?;
        shuffle(&mut places);
        if !json {
            println!("  {size:>9} repositories, filled in {:.0} s", began.elapsed().as_secs_f64());
        }
        let mut beats = store::listen(&database.url, &[store::HEARTBEAT_CHANNEL]).await?;
        let served = process::crowsnest(program, "web", &database.url, &[], process::folder()?).await?;
        let beat = timeout(PATIENCE, beats.notifications.recv()).await.context("the indexer does not beat")?;
        beat.context("the connection was closed")?;
        let changes = tokio::spawn(change(database.url.clone(), database.generation, places.clone()));
        let site = Self { size, places, heavy, served, database, name, changes };
        site.check().await?;
        Ok(site)
    }

    /// The database's name, when nothing uses it any more.
    pub fn stop(self) -> String {
        self.changes.abort();
        self.name
    }

    /// Every kind of page is there.
    async fn check(&self) -> Result<()> {
        let mut connection = Connection::open(&self.served.host, &["Accept: text/html"]).await?;
        for (kind, _) in Kind::ALL {
            let path = kind.path(&self.places[0], 0);
            let (status, body) = connection.get(&path).await?;
            ensure!(status == 200 && has_heading(&body), "{path}: {status}");
        }
        Ok(())
    }

    pub async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.served.host, &HEADERS).await
    }

    /// Seconds of CPU so far: of the web service, and of all of Postgres.
    pub async fn cpu(&self) -> Result<(f64, f64)> {
        let ours = process_seconds(self.served.pid()?).unwrap_or(f64::NAN);
        Ok((ours, server::all_seconds(&self.database.client).await.unwrap_or(f64::NAN)))
    }
}

fn has_heading(html: &[u8]) -> bool {
    html.windows(3).any(|window| window == b"<h1")
}

fn shuffle(places: &mut [Place]) {
    let mut dice = Dice::new(17);
    for n in (1..places.len()).rev() {
        places.swap(n, dice.below(n + 1));
    }
}

/// Tells of changes to repositories in turn, the last ones first.
async fn change(url: String, generation: i32, places: Vec<Place>) {
    let Ok(connection) = store::connect(&url, Some(generation)).await else { return };
    let mut ticks = interval(CHANGES);
    for place in places.iter().rev().cycle() {
        ticks.tick().await;
        let keys = [format!("repository:{}/{}", place.did, place.name)];
        if observe::changed(&connection.client, generation, &keys).await.is_err() {
            return;
        }
    }
}
