//! Lines of a Jetstream around the record.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use types::{Cid, DropReason, Tid};

use super::{Fate, Row, records::account};
use crate::tests::{delete, put, rev, tag};

fn line(what: &'static str, text: impl Into<String>, fate: Fate) -> Row {
    let text: String = text.into();
    Row { part: "Lines of a Jetstream", what, message: Message::text(text), fate, note: "" }
}

/// A good line with one field of its envelope set.
fn envelope(what: &'static str, field: &str, value: Value, fate: Fate) -> Row {
    let mut good = put(&account(what), rev(1), "io.atcr.tag", "self", &tag("latest"));
    good[field] = value;
    line(what, good.to_string(), fate)
}

/// A good line with one field of its commit set, or taken away.
fn commit(what: &'static str, field: &str, value: Value, fate: Fate) -> Row {
    let mut good = put(&account(what), rev(1), "io.atcr.tag", "self", &tag("latest"));
    if value.is_null() {
        good["commit"].as_object_mut().unwrap().remove(field);
    } else {
        good["commit"][field] = value;
    }
    line(what, good.to_string(), fate)
}

pub fn rows() -> Vec<Row> {
    envelopes().into_iter().chain(commits()).collect()
}

fn envelopes() -> Vec<Row> {
    let bad = Fate::Rejected(DropReason::BadEnvelope);
    let name = Fate::Rejected(DropReason::BadName);
    let good = |what| put(&account(what), rev(1), "io.atcr.tag", "self", &tag("latest")).to_string();
    let deep = "something unknown, 10,000 deep";
    let lists = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let ahead = "a clock that is centuries ahead";
    vec![
        line("an empty line", "", bad),
        line("half a line", r#"{"did":"did:plc:a","#, bad),
        line("a list", "[]", bad),
        line("10,000 lists", "[".repeat(10_000), bad),
        line("two lines in one", format!("{}\n{}", good("x"), good("y")), bad),
        line("a field twice", good("z").replacen('{', "{\"kind\":\"commit\",", 1), bad),
        line(deep, good(deep).replacen('{', &format!("{{\"x\":{lists},"), 1), Fate::Applied),
        envelope("an unknown kind", "kind", json!("label"), Fate::Dropped(DropReason::UnknownKind)),
        envelope("a time that is a float", "time_us", json!(1.5), bad),
        envelope("a time beyond 64 bits", "time_us", json!(u64::MAX), bad),
        envelope("a time before 1970", "time_us", json!(-1), Fate::Applied),
        envelope(ahead, "time_us", json!(i64::MAX), Fate::Applied).note("the cursor stays at now"),
        envelope("an account that is no DID", "did", json!("alice.example"), name),
        envelope("an account of 2,049 characters", "did", json!(format!("did:plc:{}", "x".repeat(2041))), name),
        envelope("NUL in an account", "did", json!("did:plc:a\0b"), name),
        line(
            "an identity event of a stranger",
            r#"{"did":"did:plc:stranger","time_us":1,"kind":"identity"}"#,
            Fate::Dropped(DropReason::UnknownActor),
        ),
    ]
}

fn commits() -> Vec<Row> {
    let bad = Fate::Rejected(DropReason::BadEnvelope);
    let name = Fate::Refetched(DropReason::BadName);
    let ahead = Tid::from_micros(chrono::Utc::now().timestamp_micros().unsigned_abs() + 3_600_000_000, 0).to_string();
    let block = types::record_block(&tag("latest")).unwrap();
    vec![
        commit("another record's CID", "cid", json!(Cid::of_block(b"x")), Fate::Mismatch),
        commit("a CID of a blob", "cid", json!(Cid::of_blob(&block)), Fate::Mismatch),
        commit("a CID of version 0", "cid", json!("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"), name),
        commit("an identity CID", "cid", json!("bafyqaaa"), name),
        commit("a CID that is none", "cid", json!("x"), name),
        commit("no CID", "cid", Value::Null, name),
        commit("no record", "record", Value::Null, Fate::Refetched(DropReason::BadEnvelope)),
        commit("no revision", "rev", Value::Null, bad),
        commit("a revision that is none", "rev", json!("3jzfcijpj2z21"), Fate::Rejected(DropReason::BadName)),
        commit("a revision an hour ahead", "rev", json!(ahead), Fate::Rejected(DropReason::RevTooFarAhead)),
        commit("an unknown operation", "operation", json!("purge"), Fate::Refetched(DropReason::UnknownKind)),
        commit(
            "a collection that nobody knows",
            "collection",
            json!("io.atcr.unheard.of"),
            Fate::Dropped(DropReason::ForeignCollection),
        ),
        commit(
            "a collection with NUL",
            "collection",
            json!("io.atcr.tag\0"),
            Fate::Dropped(DropReason::ForeignCollection),
        ),
        commit(
            "a foreign collection",
            "collection",
            json!("app.bsky.feed.post"),
            Fate::Dropped(DropReason::ForeignCollection),
        ),
        line(
            "a deletion with a key that is none",
            delete("did:plc:a", rev(1), "io.atcr.tag", "a/b").to_string(),
            Fate::Rejected(DropReason::BadName),
        ),
    ]
}
