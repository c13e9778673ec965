//! Sources that no longer have what we missed, on a whole network.

use std::time::Duration;

use devnet::{Devnet, DevnetConfig, Write};
use service::postgres::testing::TestDatabase;
use tempfile::TempDir;
use tokio_postgres::Client;
use types::Did;
use url::Url;

use super::{Indexer, tag};

const TAGS: &str = "SELECT tag FROM tag WHERE tag <> 'gone' ORDER BY tag";
const GAPS: &str = "SELECT reason FROM gap WHERE repaired_at >= detected_at";

struct World {
    database: TestDatabase,
    devnet: Devnet,
    alice: Did,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = DevnetConfig { content: false, ..DevnetConfig::new(folder.path()) };
        let devnet = Devnet::start(config).await.unwrap();
        let alice = devnet.create_account("alice.test", "x", 0).unwrap();
        Self { database: TestDatabase::create().await.unwrap(), devnet, alice, _folder: folder }
    }

    fn v1(&self) -> Url {
        self.devnet.manifest().jetstream_v1.parse().unwrap()
    }

    fn v2(&self) -> Url {
        self.devnet.manifest().jetstream_v2.parse().unwrap()
    }

    fn firehose(&self) -> Url {
        self.devnet.manifest().firehose.parse().unwrap()
    }

    async fn index(&self, source: Url, compression: bool) -> Indexer {
        let manifest = self.devnet.manifest();
        let who = (manifest.plc.as_str(), manifest.relay.as_str());
        Indexer::start_configured(&self.database, &[source.as_str()], who, |config| {
            config.compression = compression;
            config.timing.stall = Duration::from_secs(5);
            config.timing.cursor_interval = Duration::from_millis(100);
        })
        .await
    }

    fn tag(&self, name: &str) {
        self.devnet.write(&self.alice, vec![Write::create("io.atcr.tag", name, tag(name))]).unwrap();
    }

    /// Indexes one tag and stops; then what is published and forgotten is missed.
    async fn index_one_and_miss_one(&self, source: &Url) -> Client {
        let indexer = self.index(source.clone(), false).await;
        self.tag("a");
        indexer.until(TAGS, &["a"]).await;
        indexer.until("SELECT position > 0 FROM cursor", &["true"]).await;
        // Once everything is read nothing but the stream brings news.
        indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
        let db = indexer.stop().await;
        self.tag("b");
        self.devnet.forget_events_before(self.devnet.latest_event() + 1);
        db
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_two_is_followed_by_its_numbers() {
    let world = World::new().await;
    world.tag("a");
    let indexer = world.index(world.v2(), true).await;
    indexer.until(TAGS, &["a"]).await;
    world.tag("b");
    indexer.until(TAGS, &["a", "b"]).await;
    let at = Devnet::v2_number(world.devnet.latest_event()).to_string();
    indexer.until("SELECT position FROM cursor", &[&at]).await;
    world.devnet.end_streams("ConsumerTooSlow");
    world.tag("c");
    world.devnet.write(&world.alice, vec![Write::delete("io.atcr.tag", "a")]).unwrap();
    indexer.until(TAGS, &["b", "c"]).await;
    // What was published while nobody looked is in the stream.
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    indexer.stop().await;
    world.tag("d");
    let indexer = world.index(world.v2(), true).await;
    indexer.until(TAGS, &["b", "c", "d"]).await;
    assert_eq!(indexer.rows("SELECT reason FROM gap").await, [""; 0]);
    indexer.stop().await;
    world.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_below_the_floor_of_version_two_leaves_a_gap() {
    let world = World::new().await;
    let gone = world.devnet.create_account("gone.test", "x", 1).unwrap();
    world.devnet.write(&gone, vec![Write::create("io.atcr.tag", "x", tag("gone"))]).unwrap();
    let indexer = world.index(world.v2(), false).await;
    indexer.until("SELECT active FROM actor WHERE did = (SELECT did FROM tag WHERE tag = 'gone')", &["true"]).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    indexer.stop().await;
    world.index_one_and_miss_one(&world.v2()).await;
    world.devnet.set_account_status(&gone, Some("takendown")).unwrap();
    world.devnet.forget_events_before(world.devnet.latest_event() + 1);
    let indexer = world.index(world.v2(), false).await;
    indexer.until(TAGS, &["a", "b"]).await;
    indexer.until(GAPS, &["outdated"]).await;
    // Who is on no list any more is looked at too.
    let status = format!("SELECT active || ' ' || status FROM actor WHERE did = '{gone}'");
    indexer.until(&status, &["false takendown"]).await;
    world.tag("c");
    indexer.until(TAGS, &["a", "b", "c"]).await;
    indexer.stop().await;
    world.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_one_passes_over_a_gap_in_silence() {
    let world = World::new().await;
    let db = world.index_one_and_miss_one(&world.v1()).await;
    let day = 25 * 3_600 * 1_000_000i64;
    db.execute("UPDATE cursor SET position = position - $1, safe_time = safe_time - $1", &[&day]).await.unwrap();
    world.tag("c");
    let indexer = world.index(world.v1(), false).await;
    indexer.until(TAGS, &["a", "b", "c"]).await;
    indexer.until(GAPS, &["outdated"]).await;
    indexer
        .until("SELECT until - since > interval '23 hours' AND to_position > from_position FROM gap", &["true"])
        .await;
    indexer.stop().await;
    world.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_one_that_counts_is_followed_by_its_numbers() {
    let world = World::new().await;
    world.devnet.count_on_v1(true);
    world.tag("a");
    let indexer = world.index(world.v1(), false).await;
    indexer.until(TAGS, &["a"]).await;
    world.tag("b");
    indexer.until(TAGS, &["a", "b"]).await;
    let at = Devnet::v2_number(world.devnet.latest_event());
    let cursor = format!("{}#sequence {at}", world.v1());
    indexer.until("SELECT source || ' ' || position FROM cursor", &[&cursor]).await;
    world.devnet.cut_streams();
    world.tag("c");
    indexer.until(TAGS, &["a", "b", "c"]).await;
    indexer.stop().await;
    world.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_life_of_the_server_leaves_a_gap() {
    for firehose in [false, true] {
        let world = World::new().await;
        let source = if firehose { world.firehose() } else { world.v2() };
        let db = world.index_one_and_miss_one(&source).await;
        db.execute("UPDATE cursor SET position = 900000000000", &[]).await.unwrap();
        let indexer = world.index(source, false).await;
        indexer.until(TAGS, &["a", "b"]).await;
        indexer.until(GAPS, &["future"]).await;
        world.tag("c");
        indexer.until(TAGS, &["a", "b", "c"]).await;
        // It counts on from where the server is.
        indexer.until("SELECT position < 900000000000 FROM cursor", &["true"]).await;
        indexer.stop().await;
        world.devnet.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_at_all_is_passed_over() {
    let world = World::new().await;
    let indexer = world.index(world.firehose(), false).await;
    world.tag("a");
    indexer.until(TAGS, &["a"]).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    world.devnet.publish_raw_frame(b"\xff", None).unwrap();
    world.tag("b");
    indexer.until(GAPS, &["unreadable"]).await;
    indexer.until(TAGS, &["a", "b"]).await;
    world.tag("c");
    indexer.until(TAGS, &["a", "b", "c"]).await;
    indexer.stop().await;
    world.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_not_repaired_while_a_repository_cannot_be_read() {
    let world = World::new().await;
    world.index_one_and_miss_one(&world.v2()).await;
    world.devnet.stop_pds(0).await;
    let indexer = world.index(world.v2(), false).await;
    indexer.until("SELECT reason || ' ' || missing FROM gap WHERE repaired_at IS NULL", &["outdated 1"]).await;
    assert_eq!(indexer.rows(TAGS).await, ["a"]);
    world.devnet.start_pds(0).await.unwrap();
    indexer.until(TAGS, &["a", "b"]).await;
    indexer.until(GAPS, &["outdated"]).await;
    indexer.until("SELECT failed FROM backfill WHERE done = total", &["0"]).await;
    indexer.stop().await;
    world.devnet.shutdown().await;
}
