use types::{Digest, Handle, Tag};

use super::{Asked, Name, Owner, parse};
use crate::errors::Code;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn digest() -> Digest {
    format!("sha256:{HEX}").parse().unwrap()
}

fn handle(text: &str) -> Owner {
    Owner::Handle(text.parse::<Handle>().unwrap())
}

fn did(text: &str) -> Owner {
    Owner::Did(text.parse().unwrap())
}

fn name(owner: Owner, text: &str) -> Name {
    let repository = text.split_once('/').unwrap().1.parse().unwrap();
    Name { owner, repository, text: text.to_owned() }
}

fn tag(text: &str) -> types::Reference {
    types::Reference::Tag(text.parse::<Tag>().unwrap())
}

#[test]
fn names_are_read_from_the_right() {
    let alice = || handle("alice.test");
    let cases = [
        ("alice.test/app/manifests/v1".to_owned(), Asked::Manifest(name(alice(), "alice.test/app"), tag("v1"))),
        (
            "alice.test/team/manifests/x/manifests/v1".into(),
            Asked::Manifest(name(alice(), "alice.test/team/manifests/x"), tag("v1")),
        ),
        ("alice.test/tags/list/tags/list".into(), Asked::Tags(name(alice(), "alice.test/tags/list"))),
        ("alice.test/manifests/tags/list".into(), Asked::Tags(name(alice(), "alice.test/manifests"))),
        (format!("alice.test/blobs/blobs/sha256:{HEX}"), Asked::Blob(name(alice(), "alice.test/blobs"), digest())),
        (
            format!("alice.test/a/b/referrers/sha256%3A{HEX}"),
            Asked::Referrers(name(alice(), "alice.test/a/b"), digest()),
        ),
        ("Alice.Test/app/tags/list".into(), Asked::Tags(name(alice(), "Alice.Test/app"))),
        ("did%3Aplc%3Aabc/app/tags/list".into(), Asked::Tags(name(did("did:plc:abc"), "did:plc:abc/app"))),
        ("did_plc_abc/app/tags/list".into(), Asked::Tags(name(did("did:plc:abc"), "did_plc_abc/app"))),
        (
            "did_web_h.example__8443/app/tags/list".into(),
            Asked::Tags(name(did("did:web:h.example%3A8443"), "did_web_h.example__8443/app")),
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(parse(&path).unwrap(), expected, "{path}");
    }
}

#[test]
fn what_is_no_name_is_refused_with_a_reason() {
    let long = "x".repeat(10_000);
    let cases = [
        ("nginx/manifests/latest", Code::NameIncomplete, "full handle"),
        ("alice/app/manifests/latest", Code::NameIncomplete, "\"alice\" is no handle"),
        ("alice.test/manifests/latest", Code::NameIncomplete, "which repository"),
        ("manifests/latest", Code::NameIncomplete, "full handle"),
        ("alice.test/MyApp/manifests/latest", Code::NameInvalid, "no container client can pull"),
        ("alice.test/a..b/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/../app/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/%2e%2e/app/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test//app/manifests/latest", Code::NameInvalid, "repository name"),
        ("/app/manifests/latest", Code::NameInvalid, "handle"),
        ("alice.test/team%2fapp/manifests/latest", Code::NameInvalid, "slash"),
        ("alice.test/app%00/manifests/latest", Code::NameInvalid, "NUL"),
        ("alice.test/%ff/manifests/latest", Code::NameInvalid, "UTF-8"),
        ("alice.test/%252e/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/%252e%252e%252fapp/manifests/latest", Code::NameInvalid, "repository name"),
        // The dot and the slash in more bytes than they need.
        ("alice.test/%c0%ae%c0%ae/manifests/latest", Code::NameInvalid, "UTF-8"),
        ("alice.test/%c0%af/manifests/latest", Code::NameInvalid, "UTF-8"),
        ("alice.test/%e2%80%ae/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/%/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/%zz/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/app%0d%0ax/manifests/latest", Code::NameInvalid, "repository name"),
        ("alice.test/app/manifests/%2e%2e", Code::ManifestUnknown, "tag"),
        ("alice.test/app/manifests/..%2f..%2fx", Code::NameInvalid, "slash"),
        ("%2e%2e/app/manifests/latest", Code::NameInvalid, "handle"),
        ("did_key_abc/app/manifests/latest", Code::NameInvalid, "escaped DID"),
        ("did:plc:/app/manifests/latest", Code::NameInvalid, "DID"),
        ("a_b.test/app/manifests/latest", Code::NameInvalid, "handle"),
        ("alice.test/app/manifests/sha256:abc", Code::DigestInvalid, "sha256:"),
        ("alice.test/app/manifests/md5:abc", Code::DigestInvalid, "md5"),
        ("alice.test/app/blobs/latest", Code::DigestInvalid, "latest"),
        ("alice.test/app/manifests/.hidden", Code::ManifestUnknown, "tag"),
        ("alice.test/app/manifests/", Code::ManifestUnknown, "tag"),
        ("alice.test/app", Code::EndpointUnknown, "/manifests/"),
        ("_catalogue", Code::EndpointUnknown, "/manifests/"),
        ("alice.test/app/blobs/uploads/7", Code::EndpointUnknown, "/manifests/"),
        (&format!("alice.test/{long}/manifests/latest"), Code::NameInvalid, "characters"),
        (&format!("alice.test/{}/manifests/latest", &long[..300]), Code::NameInvalid, "255"),
    ];
    for (path, code, reason) in cases {
        let error = parse(path).unwrap_err();
        assert_eq!(error.code, code, "{path}: {}", error.message);
        assert!(error.message.contains(reason) && error.message.len() < 500, "{path}: {}", error.message);
    }
}
