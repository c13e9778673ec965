//! What a new devnet publishes: deterministic from its seed, dated before [`END`].

mod catalog;
mod dice;
mod elf;
mod hold_records;
mod images;
mod oci;
mod odd;
mod pages;
mod people;
mod png;
mod publisher;
mod showcase;

use serde_json::json;
use types::Did;

use self::publisher::Publisher;
pub(crate) use self::{
    catalog::{CATALOG, Entry},
    dice::Dice,
    pages::PAGE,
    people::{StarSubject, star},
    publisher::{Target, tag},
};
use crate::{
    Result,
    devnet::{HOLD_PRIVATE, HOLD_PUBLIC, HOLD_UNCRAWLED},
    network::{Home, Network, datetime},
    repo::Write,
    server::Urls,
};

/// 2026-08-01, in microseconds since 1970: the content is older, so that it looks lived in, and a new devnet always
/// publishes the same commits.
pub(crate) const END: u64 = 1_785_542_400_000_000;

/// A day in microseconds.
pub(crate) const DAY: u64 = 86_400_000_000;

/// Every ordinary account and its PDS.
const ACCOUNTS: [(&str, usize); 15] = [
    ("alice.test", 0),
    ("bob.test", 1),
    ("carol.test", 0),
    ("dave.test", 1),
    ("erin.test", 0),
    ("mallory.test", 1),
    ("harbour-lab.test", 0),
    ("marlin-db.test", 1),
    ("hanna.homelab.test", 0),
    ("gamesbymo.test", 1),
    ("openferry.test", 0),
    ("juniper-tools.test", 1),
    ("tidewatch.test", 0),
    ("ravi.test", 1),
    ("lighthouse-ci.test", 0),
];

/// Fills a new network; without `content` it has only its holds.
pub(crate) fn fill(network: &Network, urls: &Urls, seed: u64, content: bool) -> Result<()> {
    let birth = END - 400 * DAY;
    if content {
        for (handle, pds) in ACCOUNTS {
            let name = handle.split('.').next().unwrap_or(handle);
            let did = network.keys.did_plc(handle)?;
            network.create_account(did, handle.parse()?, Home::Pds(pds), &format!("{name}-password"), Some(birth))?;
        }
    }
    let cast = Cast { network };
    holds(&cast, urls, birth)?;
    if !content {
        return Ok(());
    }
    let mut publisher = Publisher::new(network, urls);
    catalog::publish(&mut publisher, &cast, seed)?;
    showcase::publish(&mut publisher, &cast)?;
    people::publish(&mut publisher, &cast, seed)?;
    odd::publish(&mut publisher, &cast)?;
    publisher.commit()?;
    hold_records::publish(network, urls, seed)
}

/// Finds the DIDs behind the names that the content is written with.
pub(crate) struct Cast<'a> {
    network: &'a Network,
}

impl Cast<'_> {
    /// The DID of an account of [`ACCOUNTS`].
    pub(crate) fn did(&self, handle: &str) -> Result<Did> {
        self.network.keys.did_plc(handle)
    }
}

pub(crate) fn hold_did(urls: &Urls, hold: usize) -> Result<Did> {
    let missing = || crate::Error::Encode(format!("there is no hold {hold}"));
    urls.holds.get(hold).and_then(|url| Did::web_of_endpoint(url)).ok_or_else(missing)
}

/// The holds of the present generation, with their captains and crew.
fn holds(cast: &Cast<'_>, urls: &Urls, birth: u64) -> Result<()> {
    let captains = [
        (HOLD_PUBLIC, "hold-harbour.test", "harbour-lab.test", true),
        (HOLD_UNCRAWLED, "hold-ferry.test", "openferry.test", true),
        (HOLD_PRIVATE, "hold-carol.test", "carol.test", false),
    ];
    for (hold, handle, owner, public) in captains {
        let (did, owner) = (hold_did(urls, hold)?, cast.did(owner)?);
        cast.network.create_account(did.clone(), handle.parse()?, Home::Hold(hold), "", Some(birth))?;
        let captain = json!({"$type": "io.atcr.hold.captain", "owner": owner, "public": public, "allowAllCrew": public,
                             "enableBlueskyPosts": false, "deployedAt": datetime(birth), "region": "eu-north-1"});
        // The private hold has one member besides its captain.
        let (member, role, permissions) = match public {
            true => (owner, "admin", &["blob:read", "blob:write", "crew:admin"][..]),
            false => (cast.did("bob.test")?, "reader", &["blob:read"][..]),
        };
        let crew = json!({"$type": "io.atcr.hold.crew", "member": member, "role": role, "permissions": permissions,
                          "addedAt": datetime(birth), "tier": "deckhand"});
        let writes = vec![
            Write::create("io.atcr.hold.captain", "self", captain),
            Write::create("io.atcr.hold.crew", "3lbcaptain222", crew),
        ];
        cast.network.write(&did, writes, Some(birth))?;
    }
    Ok(())
}
