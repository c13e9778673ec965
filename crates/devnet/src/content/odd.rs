//! What an index must survive: forgeries, and records that are not what they say.

use serde_json::json;

use super::{Cast, DAY, END, hold_did, pages, publisher::Publisher};
use crate::{
    Result,
    devnet::{HOLD_LEGACY, HOLD_PUBLIC},
    network::datetime,
    repo::Write,
};

pub(crate) fn publish(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    forged_holds(publisher, cast)?;
    forged_tag(publisher, cast)?;
    undecodable(publisher, cast)
}

/// Mallory claims other people's holds from an ordinary repository.
fn forged_holds(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    let (at, mallory, alice) = (END - 20 * DAY, cast.did("mallory.test")?, cast.did("alice.test")?);
    let hold = hold_did(publisher.urls, HOLD_PUBLIC)?;
    let endpoint = &publisher.urls.holds[HOLD_LEGACY];
    let host = endpoint.trim_start_matches("http://");
    let captain = json!({"$type": "io.atcr.hold.captain", "owner": mallory, "public": true, "allowAllCrew": true,
                         "deployedAt": datetime(at)});
    let stats = json!({"$type": "io.atcr.hold.stats", "ownerDid": mallory, "repository": "miner", "pullCount": 9_999_999,
                       "pushCount": 1, "updatedAt": datetime(at)});
    let lowered = json!({"$type": "io.atcr.hold.stats", "ownerDid": alice, "repository": "hello", "pullCount": 0,
                         "pushCount": 0, "updatedAt": datetime(at)});
    let legacy = json!({"$type": "io.atcr.hold", "endpoint": endpoint, "owner": mallory, "public": true,
                        "createdAt": datetime(at)});
    let crew = json!({"$type": "io.atcr.hold.crew", "member": mallory, "role": "admin",
                      "permissions": ["blob:read", "blob:write", "crew:admin"], "addedAt": datetime(at), "hold": hold});
    let writes = vec![
        Write::create("io.atcr.hold.captain", "self", captain),
        Write::create("io.atcr.hold.stats", "miner", stats),
        Write::create("io.atcr.hold.stats", "hello", lowered),
        Write::create("io.atcr.hold", host, legacy),
        Write::create("io.atcr.hold.crew", "me", crew),
    ];
    publisher.write(at, &mallory, writes);
    Ok(())
}

/// A tag that points into Alice's repository, and a page that attacks its readers.
fn forged_tag(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    let (at, mallory, alice) = (END - 19 * DAY, cast.did("mallory.test")?, cast.did("alice.test")?);
    let record = json!({"$type": "io.atcr.tag", "repository": "hello", "tag": "latest",
                        "manifest": format!("at://{alice}/io.atcr.manifest/{}", "0".repeat(64)),
                        "updatedAt": datetime(at)});
    let page = json!({"$type": pages::PAGE, "repository": "miner", "description": pages::HOSTILE,
                      "createdAt": datetime(at), "updatedAt": datetime(at)});
    let writes = vec![Write::create("io.atcr.tag", "hello_latest", record), Write::create(pages::PAGE, "miner", page)];
    publisher.write(at, &mallory, writes);
    Ok(())
}

/// A well-formed record that is no manifest, and a tag without a target.
fn undecodable(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    let (at, ravi) = (END - 18 * DAY, cast.did("ravi.test")?);
    let manifest = json!({"$type": "io.atcr.manifest", "repository": ["not", "a", "name"], "digest": 42,
                          "mediaType": null, "schemaVersion": "two"});
    let tag = json!({"$type": "io.atcr.tag", "repository": "static-site", "tag": "lost", "updatedAt": datetime(at)});
    let writes = vec![
        Write::create("io.atcr.manifest", "3lbbroken2222", manifest),
        Write::create("io.atcr.tag", "static-site_lost", tag),
    ];
    publisher.write(at, &ravi, writes);
    Ok(())
}
