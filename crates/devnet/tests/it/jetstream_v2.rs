//! Jetstream v2, and version 1 on its software.

use std::time::Duration;

use crowsnest_devnet::{Devnet, DevnetConfig, Write};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Fixture, Stream, client, get, get_bytes};

/// The payload of a frame, with its kind.
fn payload(message: &Message) -> (String, Value) {
    let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    assert_eq!(frame["$type"], "message", "{frame}");
    let kind = frame["payload"]["$type"].as_str().unwrap();
    (kind.strip_prefix("network.bsky.jetstream.subscribeEvents#").unwrap().to_owned(), frame["payload"].clone())
}

/// HTTP status and XRPC error of a refused subscription.
async fn refusal(devnet: &Devnet, query: &str) -> (u16, Value) {
    let url = devnet.manifest().jetstream_v2.replacen("ws://", "http://", 1);
    let (status, body) = get(&format!("{url}?{query}")).await;
    (status, body["error"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_as_version_two_tells_them() {
    let fixture = Fixture::bare().await;
    let devnet = &fixture.devnet;
    let url = devnet.manifest().jetstream_v2;
    let first = Devnet::v2_number(devnet.latest_event() + 1);
    let did = devnet.create_account("zoe.test", "x", 1).unwrap();
    let writes = vec![Write::create("io.atcr.tag", "a", json!({"x": 1})), Write::create("app.other", "b", json!({}))];
    let rev = devnet.write(&did, writes).unwrap();
    devnet.write(&did, vec![Write::delete("io.atcr.tag", "a")]).unwrap();
    devnet.set_account_status(&did, Some("deactivated")).unwrap();

    let all = Stream::open(&format!("{url}?cursor={first}")).await.drain().await;
    let told: Vec<(String, Value)> = all.iter().map(payload).collect();
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["identity", "account", "sync", "commit", "commit", "commit", "account"]);
    assert!(told.iter().map(|(_, payload)| payload["seq"].as_u64().unwrap()).is_sorted_by(|a, b| a < b));
    assert!(told.iter().all(|(_, payload)| payload["did"] == json!(did) && payload["time"].is_string()));
    assert_eq!(told[0].1["identity"]["handle"], "zoe.test");
    assert_eq!(told[1].1["account"]["active"], true);
    assert!(told[2].1["sync"]["rev"].is_string());
    let cid = types::record_cid(&json!({"x": 1})).unwrap();
    for (field, expected) in [
        ("rev", json!(rev)),
        ("operation", json!("create")),
        ("collection", json!("io.atcr.tag")),
        ("rkey", json!("a")),
        ("record", json!({"x": 1})),
        ("cid", json!(cid)),
    ] {
        assert_eq!(told[3].1[field], expected);
    }
    assert_eq!((told[5].1["operation"].as_str(), told[5].1.get("record")), (Some("delete"), None));
    assert_eq!(told[6].1["account"]["status"], "deactivated");

    // The cursor is included, and each filter is one of its own.
    let third = told[4].1["seq"].as_u64().unwrap();
    assert_eq!(Stream::open(&format!("{url}?cursor={third}")).await.drain().await, all[4..]);
    let ours = Stream::open(&format!("{url}?cursor={first}&collections=io.atcr.*")).await.drain().await;
    assert_eq!(ours, [&all[..4], &all[5..]].concat());
    let syncs = Stream::open(&format!("{url}?cursor={first}&kinds=sync&kinds=identity&dids={did}")).await.drain().await;
    assert_eq!(syncs, [all[0].clone(), all[2].clone()]);
    let small = Stream::open(&format!("{url}?cursor={first}&maxMessageSizeBytes=10")).await.drain().await;
    assert_eq!(small, []);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_version_two() {
    let fixture = Fixture::bare().await;
    let devnet = &fixture.devnet;
    let url = devnet.manifest().jetstream_v2;
    let did = devnet.create_account("cursor.test", "x", 0).unwrap();
    for n in 0..5 {
        devnet.write(&did, vec![Write::create("io.atcr.tag", format!("t{n}"), json!({"n": n}))]).unwrap();
    }
    let latest = devnet.latest_event();
    devnet.forget_events_before(latest - 1);
    let floor = Devnet::v2_number(latest - 1);
    assert_eq!(refusal(devnet, &format!("cursor={}", floor - 1)).await, (400, json!("CursorTooOld")));
    assert_eq!(Stream::open(&format!("{url}?cursor={floor}")).await.drain().await.len(), 2);
    // A time that is too old is brought up to the floor, and said so.
    let clamped = Stream::open(&format!("{url}?cursor=1000000000000000")).await.drain().await;
    assert_eq!(payload(&clamped[0]).1["name"], "OutdatedCursor");
    assert_eq!(clamped.len(), 3);
    let mut future = Stream::open(&format!("{url}?cursor={}", Devnet::v2_number(latest + 9))).await;
    assert_eq!(payload(&future.next().await).1["name"], "FutureCursor");
    devnet.write(&did, vec![Write::delete("io.atcr.tag", "t1")]).unwrap();
    assert_eq!(payload(&future.next().await).1["rkey"], "t1");

    assert_eq!(refusal(devnet, "wantedCollections=io.atcr.*").await.0, 400);
    assert_eq!(refusal(devnet, "zstdDictionary=7").await, (400, json!("UnknownZstdDictionary")));
    devnet.bootstrap_v2(true);
    assert_eq!(refusal(devnet, "").await.0, 503);
    devnet.bootstrap_v2(false);
    devnet.end_streams("ConsumerTooSlow");
    let error = future.json().await;
    assert_eq!((&error["$type"], &error["error"]), (&json!("error"), &json!("ConsumerTooSlow")));
    assert!(matches!(future.next().await, Message::Close(_)));
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_frames_are_the_same_frames() {
    let fixture = Fixture::full().await;
    let manifest = fixture.devnet.manifest();
    let http = manifest.jetstream_v1.replacen("ws://", "http://", 1).replace("/subscribe", "");
    let address = format!("{http}/xrpc/network.bsky.jetstream.getZstdDictionary");
    let id =
        client().get(&address).send().await.unwrap().headers()["x-zstd-dictionary-id"].to_str().unwrap().to_owned();
    let dictionary = get_bytes(&address).await;
    assert!(dictionary.starts_with(b"\x37\xa4\x30\xec") && dictionary.len() <= 64 << 10);

    let url = format!("{}?cursor=1000000000000000&collections=io.atcr.tag", manifest.jetstream_v2);
    let plain = Stream::open(&url).await.drain().await;
    let packed = Stream::open(&format!("{url}&zstdDictionary={id}")).await.drain().await;
    assert!(plain.len() > 50 && plain.len() == packed.len());
    let mut unpack = zstd::bulk::Decompressor::with_dictionary(&dictionary).unwrap();
    let (mut before, mut after) = (0, 0);
    for (plain, packed) in plain.into_iter().zip(packed) {
        let Message::Binary(packed) = packed else { panic!("not compressed") };
        (before, after) = (before + plain.len(), after + packed.len());
        assert_eq!(unpack.decompress(&packed, 1 << 20).unwrap(), plain.into_data());
    }
    assert!(after * 2 < before, "{after} of {before} bytes");
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_one_on_the_software_of_version_two() {
    let fixture = Fixture::bare().await;
    let devnet = &fixture.devnet;
    devnet.count_on_v1(true);
    let did = devnet.create_account("counted.test", "x", 0).unwrap();
    for n in 0..3 {
        devnet.write(&did, vec![Write::create("io.atcr.tag", format!("t{n}"), json!({"n": n}))]).unwrap();
    }
    let url = devnet.manifest().jetstream_v1;
    let all = Stream::open(&format!("{url}?cursor=1&wantedDids={did}")).await.drain().await;
    let second: Value = serde_json::from_str(all[all.len() - 2].to_text().unwrap()).unwrap();
    let number = second["cursor"].as_u64().unwrap();
    assert!(number < 1_000_000_000_000_000 && number == Devnet::v2_number(devnet.latest_event() - 1));
    let rest = Stream::open(&format!("{url}?cursor={number}&wantedDids={did}")).await.drain().await;
    assert_eq!(rest, all[all.len() - 2..]);
    let by_time = Stream::open(&format!("{url}?cursor={}&wantedDids={did}", second["time_us"])).await.drain().await;
    assert_eq!(by_time, rest);
    // What is gone is passed over in silence.
    devnet.forget_events_before(devnet.latest_event());
    assert_eq!(Stream::open(&format!("{url}?cursor=1&wantedDids={did}")).await.drain().await, all[all.len() - 1..]);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_say_that_nothing_is_late() {
    let directory = tempfile::tempdir().unwrap();
    let quick = Duration::from_millis(50);
    let config = DevnetConfig { content: false, v2_ping: quick, ..DevnetConfig::new(directory.path()) };
    let devnet = Devnet::start(config).await.unwrap();
    let mut stream = Stream::open(&devnet.manifest().jetstream_v2).await;
    assert!(stream.is_pinged(Duration::from_secs(10)).await);
    devnet.pause_streams(true);
    // One may be on its way.
    stream.is_pinged(quick * 2).await;
    assert!(!stream.is_pinged(quick * 6).await);
    devnet.pause_streams(false);
    assert!(stream.is_pinged(Duration::from_secs(10)).await);
    devnet.shutdown().await;
}
