use serde_json::{Value, json};

use super::{CrewOf, MAX_VALUES, Member, Record, Refusal, TagTarget, decode, is_bounded};
use crate::{Collection, Handle, RecordId};

const OWNER: &str = "did:plc:owner";
const SHA: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn read(collection: Collection, rkey: &str, value: Value) -> Result<Record, Refusal> {
    let id = RecordId { did: OWNER.parse().unwrap(), collection, rkey: rkey.parse().unwrap() };
    decode(&id, value.to_string().as_bytes())
}

fn manifest(change: impl FnOnce(&mut Value)) -> Result<Record, Refusal> {
    let mut value = json!({
        "$type": "io.atcr.manifest", "repository": "app", "digest": SHA, "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "holdDid": "did:web:hold01.atcr.io",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": SHA, "size": 10},
        "layers": [{"mediaType": "x", "digest": SHA, "size": 32}], "annotations": {"a": "b", "n": 1},
        "createdAt": "2026-01-10T12:00:00Z", "unknown": [1.5]});
    change(&mut value);
    read(Collection::Manifest, "any", value)
}

#[test]
fn manifests() {
    let Record::Manifest(decoded) = manifest(|_| ()).unwrap() else { panic!() };
    assert_eq!((decoded.size(), decoded.layers.len(), decoded.annotations.len()), (42, 1, 1));
    let Record::Manifest(legacy) = manifest(|m| {
        m["holdDid"] = Value::Null;
        m["holdEndpoint"] = json!("https://hold.example:8443");
    })
    .unwrap() else {
        panic!()
    };
    assert_eq!(legacy.hold.unwrap().as_str(), "did:web:hold.example%3A8443");
    assert_eq!(legacy.legacy_endpoint.as_deref(), Some("https://hold.example:8443"));
}

#[test]
fn manifests_that_would_mislead_are_refused() {
    for (field, wrong) in [
        ("digest", json!("sha256:short")),
        ("repository", json!("a\0b")),
        ("repository", json!("")),
        ("layers", json!([{"mediaType": "x", "digest": SHA, "size": -1}])),
        ("layers", json!({})),
        ("config", json!({"digest": SHA, "size": 1.5})),
        ("$type", json!("io.atcr.tag")),
        ("holdDid", json!("https://hold.example")),
    ] {
        let refused = manifest(|m| m[field] = wrong.clone());
        assert!(matches!(refused, Err(Refusal::Undecodable(_))), "{field}: {wrong} gave {refused:?}");
    }
}

#[test]
fn tags_of_both_generations() {
    let new = json!({"repository": "app", "tag": "v1", "manifest": format!("at://{OWNER}/io.atcr.manifest/abc")});
    let Record::Tag(tag) = read(Collection::Tag, "x", new).unwrap() else { panic!() };
    assert_eq!(tag.target, TagTarget::Manifest("abc".parse().unwrap()));
    let old = json!({"repository": "app", "tag": "v1", "manifestDigest": SHA, "createdAt": "2025-01-01T00:00:00Z"});
    let Record::Tag(tag) = read(Collection::Tag, "x", old).unwrap() else { panic!() };
    assert_eq!(tag.target, TagTarget::Digest(SHA.parse().unwrap()));
    assert!(tag.updated_at.is_some());
}

#[test]
fn tags_that_do_not_count() {
    let neither = json!({"repository": "app", "tag": "v1"});
    assert!(matches!(read(Collection::Tag, "x", neither), Err(Refusal::Undecodable(_))));
    let other = json!({"repository": "app", "tag": "v1", "manifest": "at://did:plc:other/io.atcr.manifest/abc"});
    assert!(matches!(read(Collection::Tag, "x", other), Err(Refusal::Forged(_))));
}

#[test]
fn stars_of_both_generations() {
    let new = json!({"subject": "at://did:plc:bob/io.atcr.repo.page/team/app", "createdAt": "2026-01-01T00:00:00Z"});
    let old = json!({"subject": {"did": "did:plc:bob", "repository": "team/app"}, "createdAt": "2026-01-01T00:00:00Z"});
    assert_eq!(read(Collection::Star, "x", new).unwrap(), read(Collection::Star, "y", old).unwrap());
    let odd = json!({"subject": "at://did:plc:bob/io.atcr.tag/app"});
    assert!(read(Collection::Star, "x", odd).is_err());
}

#[test]
fn holds_and_who_may_declare_them() {
    let captain = json!({"owner": "did:plc:captain", "public": true, "successor": "did:web:new.example"});
    let Record::Hold(hold) = read(Collection::Captain, "self", captain.clone()).unwrap() else { panic!() };
    assert_eq!((hold.hold.as_str(), hold.captain, hold.public), (OWNER, true, true));
    assert!(matches!(read(Collection::Captain, "other", captain), Err(Refusal::Forged(_))));
    let legacy = json!({"endpoint": "https://hold.example", "owner": OWNER, "public": true});
    let Record::Hold(hold) = read(Collection::LegacyHold, "hold.example", legacy).unwrap() else { panic!() };
    assert_eq!((hold.hold.as_str(), hold.captain), ("did:web:hold.example", false));
    // Found by fuzzing: an endpoint that parses may hold what Postgres does not.
    let odd = json!({"endpoint": "https://hold.example#\0", "owner": OWNER, "public": true});
    let Record::Hold(hold) = read(Collection::LegacyHold, "hold.example", odd).unwrap() else { panic!() };
    assert_eq!(hold.endpoint.as_deref(), Some("https://hold.example#\u{fffd}"));
    let forged = json!({"endpoint": "https://hold.example", "owner": "did:plc:victim", "public": true});
    assert!(matches!(read(Collection::LegacyHold, "hold.example", forged), Err(Refusal::Forged(_))));
}

#[test]
fn crews_of_both_generations() {
    let v2 = json!({"member": "did:plc:m", "role": "member", "permissions": ["blob:read", 1]});
    let Record::Crew(crew) = read(Collection::Crew, "x", v2).unwrap() else { panic!() };
    assert_eq!((crew.hold, crew.permissions), (CrewOf::Hold(OWNER.parse().unwrap()), vec!["blob:read".to_owned()]));
    let hold = format!("at://{OWNER}/io.atcr.hold/hold.example");
    let v1 = json!({"hold": hold, "memberPattern": "*.example.com", "role": "read"});
    let Record::Crew(crew) = read(Collection::Crew, "x", v1).unwrap() else { panic!() };
    assert_eq!((crew.member, crew.permissions.len()), (Member::Pattern("*.example.com".into()), 1));
    let both = json!({"hold": hold, "member": "did:plc:m", "memberPattern": "*", "role": "read"});
    assert!(read(Collection::Crew, "x", both).is_err());
    let forged = json!({"hold": "at://did:plc:other/io.atcr.hold/h", "member": "did:plc:m", "role": "write"});
    assert!(matches!(read(Collection::Crew, "x", forged), Err(Refusal::Forged(_))));
}

#[test]
fn a_pattern_admits_by_the_resolved_handle_alone() {
    let did = "did:plc:m".parse().unwrap();
    for (pattern, handle, admitted) in [
        ("*", Some("alice.example.com"), true),
        ("*", None, false),
        ("*.example.com", Some("alice.example.com"), true),
        ("*.Example.com", Some("a.b.example.com"), true),
        ("*.example.com", Some("example.com"), false),
        ("*.example.com", Some("badexample.com"), false),
        ("*.example.com", None, false),
        ("alice.*", Some("alice.example.com"), true),
        ("alice.*", Some("alicent.example.com"), false),
        ("alice.*", Some("mallory.alice.example.com"), false),
        ("*.team.*", Some("alice.team.example.com"), true),
        ("*.team.*", Some("team.example.com"), false),
        ("*.team.*", Some("alice.team"), false),
        ("*.*", Some("alice.example.com"), false),
        ("*.a*.com", Some("x.ab.com"), false),
        ("alice.example.com", Some("alice.example.com"), true),
        ("", Some("alice.example.com"), false),
    ] {
        let handle: Option<Handle> = handle.map(|handle| handle.parse().unwrap());
        assert_eq!(Member::Pattern(pattern.into()).admits(&did, handle.as_ref()), admitted, "{pattern} {handle:?}");
    }
    assert!(Member::Did("did:plc:m".parse().unwrap()).admits(&did, None));
    assert!(!Member::Did("did:plc:n".parse().unwrap()).admits(&did, None));
}

#[test]
fn a_membership_ends() {
    let hold = format!("at://{OWNER}/io.atcr.hold/hold.example");
    let v1 = json!({"hold": hold, "member": "did:plc:m", "role": "read", "expiresAt": "2026-01-10T12:00:00Z"});
    let Record::Crew(crew) = read(Collection::Crew, "x", v1).unwrap() else { panic!() };
    let at = |text: &str| crew.is_in_force(text.parse().unwrap());
    assert!(at("2026-01-10T11:59:59Z") && !at("2026-01-10T12:00:00Z"));
}

#[test]
fn hostile_json_is_an_error_not_a_crash() {
    let id = RecordId { did: OWNER.parse().unwrap(), collection: Collection::Page, rkey: "app".parse().unwrap() };
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for raw in
        [deep.as_bytes(), b"", b"null", b"[]", b"{\"description\":\"\\ud800\"}", b"\xff", b"{\"description\":1e999}"]
    {
        assert!(decode(&id, raw).is_err(), "{:?}", String::from_utf8_lossy(&raw[..raw.len().min(30)]));
    }
    let Ok(Record::Page(page)) = decode(&id, br#"{"description":"a\u0000b"}"#) else { panic!() };
    assert_eq!(page.description.as_deref(), Some("a\u{fffd}b"));
}

#[test]
fn values_are_counted_before_they_are_parsed() {
    let list = |n: usize| format!("{{\"x\":[{}0]}}", "0, ".repeat(n));
    assert!(is_bounded(list(MAX_VALUES - 2).as_bytes()));
    assert!(!is_bounded(list(MAX_VALUES - 1).as_bytes()));
    // What stands in a text is no value, however it is escaped.
    assert!(is_bounded(format!("{{\"x\":\"{}\"}}", "[,\\\",{".repeat(MAX_VALUES)).as_bytes()));
    assert!(!is_bounded(format!("[\"\\\\\",{}0]", "[],".repeat(MAX_VALUES)).as_bytes()));
    let id = RecordId { did: OWNER.parse().unwrap(), collection: Collection::Profile, rkey: "self".parse().unwrap() };
    let refused = decode(&id, list(MAX_VALUES).as_bytes()).unwrap_err();
    assert_eq!(refused.to_string(), "undecodable: $: more than 100000 values");
}

#[test]
fn years_that_are_nonsense_are_no_time() {
    for (text, known) in
        [("2026-01-10T12:00:00Z", true), ("9999-12-31T23:59:59Z", true), ("0000-01-01T00:00:00Z", false), ("x", false)]
    {
        let Ok(Record::Manifest(m)) = manifest(|m| m["createdAt"] = json!(text)) else { panic!() };
        assert_eq!(m.created_at.is_some(), known, "{text}");
    }
}

#[test]
fn a_scan_is_of_the_digest_in_its_key() {
    let scan = json!({"manifest": "at://did:plc:bob/io.atcr.manifest/abc", "critical": 1, "total": 4});
    let Record::Scan(read_scan) = read(Collection::Scan, &SHA[7..], scan.clone()).unwrap() else { panic!() };
    assert_eq!((read_scan.digest.as_str(), read_scan.findings.total, read_scan.status.as_str()), (SHA, 4, "ok"));
    assert!(read(Collection::Scan, "not-hex", scan).is_err());
}

#[test]
fn a_page_is_summed_up_by_its_first_prose() {
    let text = "# Title\n\n![badge](x)\n```sh\nrun it\n```\n- item\n\n**App** serves `files`.\n\nMore.";
    let Record::Page(page) = read(Collection::Page, "app", json!({"description": text})).unwrap() else { panic!() };
    assert_eq!(page.summary.as_deref(), Some("App serves files."));
}
