//! Records, as a Jetstream passes them on.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use types::{Cid, DropReason, record_cid, records::MAX_VALUES};

use super::{Fate, Row};
use crate::tests::rev;

const SHA: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const PART: &str = "Records";

/// An account of its own for each row.
pub fn account(what: &str) -> String {
    format!("did:plc:{}", &types::Digest::sha256(what.as_bytes()).hex()[..24])
}

/// A line with a record that is JSON, or not; its CID is right if there is one.
pub fn line(did: &str, collection: &str, rkey: &str, json: &str) -> Message {
    let parsed: Option<Value> = serde_json::from_str(json).ok();
    let cid = parsed.and_then(|record| record_cid(&record).ok()).unwrap_or_else(|| Cid::of_block(json.as_bytes()));
    let rkey = json!(rkey);
    Message::text(format!(
        r#"{{"did":"{did}","time_us":{},"kind":"commit","commit":{{"rev":"{}","operation":"create","collection":"{collection}","rkey":{rkey},"record":{json},"cid":"{cid}"}}}}"#,
        chrono::Utc::now().timestamp_micros(),
        rev(1),
    ))
}

fn raw(what: &'static str, collection: &str, json: &str, fate: Fate) -> Row {
    Row { part: PART, what, message: line(&account(what), collection, "self", json), fate, note: "" }
}

/// A manifest with one field set.
fn manifest(what: &'static str, field: &str, value: &Value, fate: Fate) -> Row {
    let mut record = json!({
        "$type": "io.atcr.manifest", "repository": "app", "digest": SHA, "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "createdAt": "2026-01-10T12:00:00Z",
        "layers": [{"mediaType": "x", "digest": SHA, "size": 32}]});
    record[field] = value.clone();
    raw(what, "io.atcr.manifest", &record.to_string(), fate)
}

/// A manifest whose layer has a size that is written so.
fn sized(what: &'static str, size: &str, fate: Fate) -> Row {
    let json = format!(
        r#"{{"repository":"app","digest":"{SHA}","mediaType":"x","layers":[{{"digest":"{SHA}","size":{size}}}]}}"#
    );
    raw(what, "io.atcr.manifest", &json, fate)
}

fn dated(what: &'static str, time: &str) -> Row {
    manifest(what, "createdAt", &json!(time), Fate::Applied)
}

fn page(what: &'static str, text: &str, fate: Fate) -> Row {
    raw(what, "io.atcr.repo.page", &json!({"repository": "app", "description": text}).to_string(), fate)
}

fn repository(what: &'static str, name: &str, fate: Fate) -> Row {
    manifest(what, "repository", &json!(name), fate)
}

fn keyed(what: &'static str, rkey: &str, fate: Fate) -> Row {
    let json = format!(r#"{{"repository":"app","tag":"latest","manifestDigest":"{SHA}"}}"#);
    Row { part: PART, what, message: line(&account(what), "io.atcr.tag", rkey, &json), fate, note: "" }
}

pub fn rows() -> Vec<Row> {
    [texts(), sizes(), numbers(), shapes(), names()].into_iter().flatten().collect()
}

fn texts() -> Vec<Row> {
    let not_json = Fate::Invalid("undecodable: $: not JSON");
    vec![
        page("NUL in a text", "a\0b", Fate::Applied).note("shown as U+FFFD"),
        manifest("NUL in an annotation's key and value", "annotations", &json!({"a\0b": "c\0d"}), Fate::Applied)
            .note("shown as U+FFFD"),
        raw(
            "NUL as a raw byte",
            "io.atcr.repo.page",
            "{\"description\":\"a\0b\"}",
            Fate::Rejected(DropReason::BadEnvelope),
        )
        .note("JSON has none, so that the whole event is none"),
        raw("a lone surrogate", "io.atcr.repo.page", r#"{"description":"\ud800"}"#, not_json),
        raw("a lone surrogate in a key", "io.atcr.repo.page", r#"{"\udfff":1}"#, not_json),
        page("control characters in a text", "a\u{1}\u{7f}\u{9f}\u{1b}[31m", Fate::Applied),
        page("bidirectional overrides in a text", "a\u{202e}gpj.exe\u{2066}", Fate::Applied),
        page(
            "a noncharacter, an emoji, a combining storm",
            &format!("\u{ffff}🚢{}", "\u{301}".repeat(5000)),
            Fate::Applied,
        ),
        page("an empty text", "", Fate::Applied).note("as if it were not there"),
        page("a README of 900,000 characters", &"x".repeat(900_000), Fate::Applied)
            .note("shown without it: 100,000 at most"),
        manifest(
            "an annotation of 900,000 characters",
            "annotations",
            &json!({"x": "y".repeat(900_000)}),
            Fate::Applied,
        ),
        manifest(
            "a title of 900,000 characters",
            "annotations",
            &json!({"org.opencontainers.image.title": noise(900_000)}),
            Fate::Applied,
        ),
        manifest("a media type of 900,000 characters", "mediaType", &json!(noise(900_000)), Fate::Applied),
    ]
}

/// Text that does not compress.
fn noise(length: usize) -> String {
    let hex = (0u32..).flat_map(|n| types::Digest::sha256(&n.to_be_bytes()).hex().chars().collect::<Vec<_>>());
    hex.take(length).collect()
}

fn sizes() -> Vec<Row> {
    let too_large = Fate::Invalid("undecodable: $: larger than 1 MB");
    let lists = |n: usize| format!("{{\"repository\":\"app\",\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let layers = vec![json!({"mediaType": "x", "digest": SHA, "size": 1i64 << 53}); 3000];
    let long = format!("did:web:{}", noise(2000));
    let mut unstorable =
        manifest("names that together are longer than an index entry", "holdDid", &json!(long), Fate::Unstorable);
    let record = json!({"repository": "app", "digest": SHA, "mediaType": "x", "holdDid": long}).to_string();
    unstorable.message = line(&format!("did:web:x{}", noise(1900)), "io.atcr.manifest", "self", &record);
    vec![
        page("a record of more than 1 MB", &"x".repeat(1 << 20), too_large).note("without its bytes"),
        page("a record of less than 1 MB that is more as JSON", &"\u{1}".repeat(300_000), Fate::Applied),
        raw("lists in lists, 100 deep", "io.atcr.repo.page", &lists(100), Fate::Applied),
        raw(
            "lists in lists, 10,000 deep",
            "io.atcr.repo.page",
            &lists(10_000),
            Fate::Invalid("undecodable: $: not JSON"),
        ),
        raw(
            "more than 100,000 values",
            "io.atcr.repo.page",
            &format!("{{\"repository\":\"app\",\"x\":[{}0]}}", "0,".repeat(MAX_VALUES)),
            too_large,
        ),
        manifest("3,000 layers whose sizes add up to more than 64 bits", "layers", &json!(layers), Fate::Applied)
            .note("the sum stays at the largest number"),
        unstorable,
    ]
}

fn numbers() -> Vec<Row> {
    let size = Fate::Invalid("undecodable: layers[0].size");
    vec![
        sized("a negative size", "-1", size),
        sized("a size of 2^53", "9007199254740992", Fate::Applied),
        sized("a size of 2^53 + 1", "9007199254740993", size),
        sized("a size beyond 64 bits", "18446744073709551616", size),
        sized("a size of -0", "-0", size),
        sized("a size of 1.0", "1.0", size),
        sized("a size of 1e400", "1e400", Fate::Invalid("undecodable: $: not JSON")),
        sized("a size that is a text", "\"1\"", size),
        manifest("a float in a field that nobody reads", "x", &json!(1.5), Fate::Applied).note("unverifiable"),
        dated("the year 0", "0000-01-01T00:00:00Z").note("without a time"),
        dated("the year -1", "-0001-01-01T00:00:00Z").note("without a time"),
        dated("the year 1969", "1969-12-31T23:59:59Z").note("without a time"),
        dated("the year 9999", "9999-12-31T23:59:59.999999Z"),
        dated("the year 10000", "10000-01-01T00:00:00Z").note("without a time"),
        dated("the year 9999, west of Greenwich", "9999-12-31T23:59:59-12:00").note("without a time"),
        dated("a leap second", "2016-12-31T23:59:60Z").note("as the second after it"),
        dated("a thirteenth month", "2026-13-01T00:00:00Z").note("without a time"),
        manifest("a time that is a number", "createdAt", &json!(0), Fate::Applied).note("without a time"),
    ]
}

fn shapes() -> Vec<Row> {
    let root = Fate::Invalid("undecodable: $: not an object");
    let kind = Fate::Invalid("undecodable: $type");
    let blob = |link: &str| json!({"ref": {"$link": link}, "mimeType": "x", "size": 1});
    let link = Fate::Invalid("undecodable: manifestBlob.ref.$link");
    vec![
        raw("a record that is a list", "io.atcr.tag", "[]", root),
        raw("a record that is a text", "io.atcr.tag", "\"x\"", root),
        raw("a record that is null", "io.atcr.tag", "null", Fate::Refetched(DropReason::BadEnvelope)),
        raw("an empty object", "io.atcr.tag", "{}", Fate::Invalid("undecodable: repository: missing")),
        manifest("an unknown $type", "$type", &json!("io.atcr.unheard.of"), kind),
        manifest("another collection's $type", "$type", &json!("io.atcr.tag"), kind),
        manifest("a $type that is a number", "$type", &json!(1), kind),
        raw(
            "a key twice",
            "io.atcr.tag",
            &format!(r#"{{"tag":"first","tag":"latest","repository":"app","manifestDigest":"{SHA}"}}"#),
            Fate::Applied,
        )
        .note("the last one counts, if the CID agrees"),
        manifest("an odd $link in a field that nobody reads", "x", &json!({"$link": "?"}), Fate::Applied)
            .note("unverifiable"),
        manifest("an odd $bytes in a field that nobody reads", "x", &json!({"$bytes": "%", "y": 1}), Fate::Applied)
            .note("unverifiable"),
        manifest("an odd $link in a blob", "manifestBlob", &blob("?"), link),
        manifest(
            "a CID of version 0 in a blob",
            "manifestBlob",
            &blob("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"),
            link,
        ),
        manifest("an identity CID in a blob", "manifestBlob", &blob("bafkqaaa"), link),
        raw(
            "a tag that points into another account",
            "io.atcr.tag",
            r#"{"repository":"app","tag":"latest","manifest":"at://did:plc:victim/io.atcr.manifest/x"}"#,
            Fate::Invalid("forged"),
        ),
    ]
}

fn names() -> Vec<Row> {
    let name = Fate::Invalid("undecodable: repository");
    let bad = Fate::Rejected(DropReason::BadName);
    let star =
        |what, subject: &str, fate| raw(what, "io.atcr.sailor.star", &json!({"subject": subject}).to_string(), fate);
    vec![
        repository("an empty repository name", "", name),
        repository("a repository name of 256 bytes", &"x".repeat(256), name),
        repository("NUL in a repository name", "a\0b", name),
        repository("a control character in a repository name", "a\u{85}b", name),
        repository("a repository name that climbs", "a/../b", name),
        repository("a bidirectional override in a repository name", "a\u{202e}b", Fate::Applied)
            .note("shown, not pullable"),
        star(
            "NUL in a star's subject, percent-encoded",
            "at://did:plc:b/io.atcr.repo.page/a%00b",
            Fate::Invalid("undecodable: subject"),
        ),
        star("bytes that are no UTF-8 in a star's subject", "at://did:plc:b/io.atcr.repo.page/a%ffb", Fate::Applied)
            .note("U+FFFD"),
        keyed("a key of 512 characters with colons", &"did:plc:x:".repeat(52)[..512], Fate::Applied),
        keyed("a key of 513 characters", &"x".repeat(513), bad),
        keyed("an empty key", "", bad),
        keyed("a key with a slash", "a/b", bad),
        keyed("NUL in a key", "a\0b", bad),
        keyed("a key of ..", "..", bad),
    ]
}
