use std::{collections::BTreeMap, io::Cursor, time::Duration};

use atrium_repo::{
    Repository,
    blockstore::{AsyncBlockStoreRead as _, CarStore},
};
use crowsnest_devnet::{Devnet, DevnetConfig, Write};
use ipld_core::ipld::Ipld;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Fixture, Frame, Stream, field, text};

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_the_firehose_holds_what_it_says() {
    let fixture = Fixture::full().await;
    let mut stream = Stream::open(&format!("{}?cursor=0", fixture.devnet.manifest().firehose)).await;
    let frames: Vec<Frame> =
        stream.drain().await.into_iter().map(|message| Frame::decode(&message.into_data())).collect();
    assert!(frames.is_sorted_by(|a, b| a.seq() < b.seq()));
    let (mut revs, mut roots) = (BTreeMap::<String, String>::new(), BTreeMap::<String, Ipld>::new());
    for frame in frames.iter().filter(|frame| frame.kind() == "#commit") {
        let (repo, rev) = (text(&frame.payload, "repo").to_owned(), text(&frame.payload, "rev").to_owned());
        let Some(Ipld::Bytes(car)) = field(&frame.payload, "blocks") else { panic!("no blocks") };
        let mut store = CarStore::open(Cursor::new(car.clone())).await.unwrap();
        let root = store.roots().next().unwrap();
        assert_eq!(field(&frame.payload, "commit"), Some(&Ipld::Link(root)));
        let Some(Ipld::List(ops)) = field(&frame.payload, "ops") else { panic!("no ops") };
        for op in ops {
            match field(op, "cid") {
                Some(Ipld::Link(cid)) => _ = store.read_block(*cid).await.unwrap(),
                other => assert_eq!((other, text(op, "action")), (Some(&Ipld::Null), "delete")),
            }
        }
        let data = Ipld::Link(Repository::open(&mut store, root).await.unwrap().commit().data());
        assert_eq!(field(&frame.payload, "prevData"), roots.get(&repo));
        let since = revs.get(&repo).map_or(Ipld::Null, |rev| Ipld::String(rev.clone()));
        assert_eq!(field(&frame.payload, "since"), Some(&since));
        assert!(revs.get(&repo).is_none_or(|before| *before < rev));
        revs.insert(repo.clone(), rev);
        roots.insert(repo, data);
    }
    // All accounts and the two holds that are crawled.
    assert_eq!(revs.len(), fixture.devnet.manifest().accounts.len() + 2);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_and_its_first_record() {
    let fixture = Fixture::bare().await;
    let manifest = fixture.devnet.manifest();
    let mut relay = Stream::open(&manifest.firehose).await;
    let mut jetstream = Stream::open(&format!("{}?wantedCollections=io.atcr.*", manifest.jetstream_v1)).await;
    // The streams are live once they answer: what follows must reach both.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let did = fixture.devnet.create_account("zoe.test", "x", 1).unwrap();
    let rev = fixture.devnet.write(&did, vec![Write::create("io.atcr.tag", "a", json!({"x": 1}))]).unwrap();
    fixture.devnet.write(&did, vec![Write::create("app.other", "a", json!({}))]).unwrap();
    fixture.devnet.write(&did, vec![Write::delete("io.atcr.tag", "a")]).unwrap();
    fixture.devnet.set_account_status(&did, Some("deactivated")).unwrap();

    let kinds = ["#identity", "#account", "#commit", "#sync", "#commit", "#commit", "#commit", "#account"];
    for kind in kinds {
        assert_eq!(relay.frame().await.kind(), kind);
    }
    let identity = jetstream.json().await;
    assert_eq!((&identity["kind"], &identity["identity"]["handle"]), (&json!("identity"), &json!("zoe.test")));
    assert_eq!(jetstream.json().await["account"]["active"], true);
    let create = jetstream.json().await;
    let cid = types::record_cid(&json!({"x": 1})).unwrap();
    let commit = json!({"rev": rev, "operation": "create", "collection": "io.atcr.tag", "rkey": "a", "record": {"x": 1}, "cid": cid});
    assert_eq!(create["commit"], commit);
    let delete = jetstream.json().await["commit"].clone();
    assert_eq!((delete["operation"].as_str(), delete.get("record"), delete.get("cid")), (Some("delete"), None, None));
    assert_eq!(jetstream.json().await["account"]["status"], "deactivated");
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors() {
    let fixture = Fixture::bare().await;
    let did = fixture.devnet.create_account("cursor.test", "x", 0).unwrap();
    for n in 0..10 {
        fixture.devnet.write(&did, vec![Write::create("io.atcr.tag", format!("t{n}"), json!({"n": n}))]).unwrap();
    }
    let manifest = fixture.devnet.manifest();
    let mut all = Stream::open(&format!("{}?cursor=0", manifest.firehose)).await;
    let frames = all.drain().await;
    let middle = Frame::decode(&frames[frames.len() - 4].clone().into_data());
    let mut rest = Stream::open(&format!("{}?cursor={}", manifest.firehose, middle.seq())).await;
    assert_eq!(rest.drain().await, frames[frames.len() - 3..]);

    let mut future = Stream::open(&format!("{}?cursor=999999", manifest.firehose)).await;
    let error = future.frame().await;
    assert_eq!(field(&error.header, "op"), Some(&Ipld::Integer(-1)));
    assert_eq!(text(&error.payload, "error"), "FutureCursor");
    assert!(matches!(future.next().await, Message::Close(_)));

    let mut all =
        Stream::open(&format!("{}?cursor=1&wantedCollections=io.atcr.tag&wantedDids={did}", manifest.jetstream_v1))
            .await;
    let texts = all.drain().await;
    let tenth: serde_json::Value = serde_json::from_str(texts[texts.len() - 5].to_text().unwrap()).unwrap();
    let mut rest =
        Stream::open(&format!("{}?cursor={}&wantedCollections=io.atcr.tag", manifest.jetstream_v1, tenth["time_us"]))
            .await;
    assert_eq!(rest.drain().await, texts[texts.len() - 5..]);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults() {
    let fixture = Fixture::bare().await;
    let did = fixture.devnet.create_account("faults.test", "x", 0).unwrap();
    let manifest = fixture.devnet.manifest();
    let mut stream = Stream::open(&manifest.firehose).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    fixture.devnet.pause_streams(true);
    fixture.devnet.write(&did, vec![Write::create("a.b.c", "x", json!({}))]).unwrap();
    assert!(stream.next_within(Duration::from_millis(300)).await.is_none());
    fixture.devnet.pause_streams(false);
    assert_eq!(stream.frame().await.kind(), "#commit");
    fixture.devnet.publish_raw_frame(b"\xff", None).unwrap();
    assert_eq!(stream.next().await, Message::binary(&b"\xff"[..]));
    fixture.devnet.cut_streams();
    assert!(stream.next_within(Duration::from_secs(5)).await.is_none());

    let url = format!("{}/xrpc/com.atproto.server.describeServer", manifest.pds[0]);
    let client = crate::support::client();
    client.get(&url).send().await.unwrap();
    fixture.devnet.stop_pds(0).await;
    // Even on the connection that was kept alive.
    client.get(&url).send().await.unwrap_err();
    fixture.devnet.start_pds(0).await.unwrap();
    client.get(&url).send().await.unwrap();
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_network_does_not_stand_still() {
    let fixture = Fixture::full().await;
    fixture.devnet.shutdown().await;
    let config = DevnetConfig { live: true, ..DevnetConfig::new(fixture.directory.path()) };
    let devnet = Devnet::start(config).await.unwrap();
    let mut stream = Stream::open(&format!("{}?wantedCollections=io.atcr.*", devnet.manifest().jetstream_v1)).await;
    let message = stream.next_within(Duration::from_secs(60)).await.expect("nothing was published in a minute");
    assert!(message.to_text().unwrap().contains("\"kind\":\"commit\""));
    devnet.shutdown().await;
}
