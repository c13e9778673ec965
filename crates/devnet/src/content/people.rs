//! What people say of themselves and of each other: profiles, stars, and the declaration of an old hold.

use serde_json::json;
use types::{Did, Tid};

use super::{ACCOUNTS, CATALOG, Cast, DAY, Dice, END, hold_did, pages::PAGE, publisher::Publisher};
use crate::{
    Result,
    devnet::{HOLD_LEGACY, HOLD_PRIVATE, HOLD_PUBLIC},
    network::datetime,
    repo::Write,
};

const STAR: &str = "io.atcr.sailor.star";

/// How a star names its subject: the two generations of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StarSubject {
    /// The old one: an object of DID and repository.
    Object,
    /// The new one: the at-uri of the page.
    Uri,
}

pub(crate) fn publish(publisher: &mut Publisher<'_>, cast: &Cast<'_>, seed: u64) -> Result<()> {
    profiles(publisher, cast)?;
    legacy_hold(publisher, cast)?;
    stars(publisher, cast, seed)
}

/// A star under a key of its own time.
pub(crate) fn star(owner: &Did, repository: &str, subject: StarSubject, at: u64) -> Write {
    let subject = match subject {
        StarSubject::Object => json!({"did": owner, "repository": repository}),
        StarSubject::Uri => json!(format!("at://{owner}/{PAGE}/{repository}")),
    };
    let record = json!({"$type": STAR, "subject": subject, "createdAt": datetime(at)});
    Write::create(STAR, Tid::from_micros(at, 7).to_string(), record)
}

/// Most name their hold by DID; Dave's old one still has a URL.
fn profiles(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    let at = END - 390 * DAY;
    for (index, (handle, _)) in ACCOUNTS.into_iter().enumerate() {
        let hold = match handle {
            "carol.test" => json!(hold_did(publisher.urls, HOLD_PRIVATE)?),
            "dave.test" => json!(publisher.urls.holds[HOLD_LEGACY]),
            _ => json!(hold_did(publisher.urls, HOLD_PUBLIC)?),
        };
        let client = ["docker", "podman", "nerdctl", "buildah", "crane", "none"][index % 6];
        let profile = json!({"$type": "io.atcr.sailor.profile", "defaultHold": hold, "createdAt": datetime(at),
                             "updatedAt": datetime(at), "autoRemoveUntagged": index % 4 == 0, "ociClient": client});
        publisher.write(at, &cast.did(handle)?, vec![Write::create("io.atcr.sailor.profile", "self", profile)]);
    }
    Ok(())
}

/// Dave declares his hold, and lets everyone under `.test` read.
fn legacy_hold(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    let (at, dave) = (END - 395 * DAY, cast.did("dave.test")?);
    let endpoint = publisher.urls.holds[HOLD_LEGACY].clone();
    let host = endpoint.trim_start_matches("http://").to_owned();
    let hold = json!({"$type": "io.atcr.hold", "endpoint": endpoint, "owner": dave, "public": true,
                      "createdAt": datetime(at)});
    let crew = |fields: serde_json::Value| {
        let mut crew = json!({"$type": "io.atcr.hold.crew", "hold": format!("at://{dave}/io.atcr.hold/{host}"),
                              "role": "read", "createdAt": datetime(at)});
        if let (Some(crew), serde_json::Value::Object(fields)) = (crew.as_object_mut(), fields) {
            crew.extend(fields);
        }
        crew
    };
    let writes = vec![
        Write::create("io.atcr.hold", &host, hold),
        Write::create("io.atcr.hold.crew", format!("allow-all-{host}"), crew(json!({"memberPattern": "*.test"}))),
        Write::create("io.atcr.hold.crew", "erin", crew(json!({"member": cast.did("erin.test")?, "role": "write"}))),
        Write::create(
            "io.atcr.hold.crew",
            "expired",
            crew(json!({"memberPattern": "*.example.com", "expiresAt": datetime(at + DAY)})),
        ),
    ];
    publisher.write(at, &dave, writes);
    Ok(())
}

/// Everyone stars a few things, the first of the catalog more often; Bob stars hello twice, once in each generation.
fn stars(publisher: &mut Publisher<'_>, cast: &Cast<'_>, seed: u64) -> Result<()> {
    let showcase =
        [("alice.test", "hello"), ("alice.test", "multi"), ("bob.test", "signed"), ("erin.test", "team/app")];
    let subjects: Vec<_> = showcase.into_iter().chain(CATALOG.iter().map(|entry| (entry.owner, entry.name))).collect();
    for (handle, _) in ACCOUNTS {
        let mut dice = Dice::new(seed, &format!("stars of {handle}"));
        let mut starred: Vec<_> = (0..4 + dice.below(8)).map(|_| dice.below(subjects.len())).collect();
        starred.sort_unstable();
        starred.dedup();
        for (index, subject) in starred.into_iter().enumerate() {
            let (owner, repository) = subjects[subject];
            let at = END - (1 + dice.below(120)) as u64 * DAY - dice.below(86_400) as u64 * 1_000_000;
            let shape = if index % 3 == 0 { StarSubject::Object } else { StarSubject::Uri };
            publisher.write(at, &cast.did(handle)?, vec![star(&cast.did(owner)?, repository, shape, at)]);
        }
    }
    let (alice, bob, at) = (cast.did("alice.test")?, cast.did("bob.test")?, END - 3 * DAY);
    let twice =
        vec![star(&alice, "hello", StarSubject::Object, at), star(&alice, "hello", StarSubject::Uri, at + 1_000_000)];
    publisher.write(at, &bob, twice);
    Ok(())
}
