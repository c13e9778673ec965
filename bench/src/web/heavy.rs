//! Pages that are heavier than most, which the catalogue has not: measured one by one, and weighed.

use anyhow::Result;
use tokio_postgres::Client;

use super::pages::{Kind, repository};
use crate::catalogue::{self, Place};

/// Repositories of one owner, who stars as many.
const REPOSITORIES: usize = 300;
const TAGS: i32 = 10_000;
const LAYERS: i32 = 40;
const PLATFORMS: i32 = 10;
/// Sections of a README, of about 500 bytes each.
const SECTIONS: i32 = 60;

/// Pages, by what is heavy about them.
pub struct Heavy(pub Vec<(&'static str, String)>);

/// Adds an owner with heavy repositories.
pub async fn plant(client: &Client) -> Result<Heavy> {
    let places = catalogue::large_owner(client, REPOSITORIES).await?;
    let [tagged, readme, layered, index, ..] = places.as_slice() else { return Ok(Heavy(Vec::new())) };
    many_tags(client, tagged).await?;
    long_readme(client, readme).await?;
    many_layers(client, layered).await?;
    large_index(client, index).await?;
    let stars = "INSERT INTO star_edge (owner, repository, did, records)
                 SELECT did, name, $1, 1 FROM repository ORDER BY stars DESC, did, name LIMIT $2";
    client.execute(stars, &[&tagged.did, &(REPOSITORIES as i64)]).await?;
    let tags = Kind::Tags.path(tagged, 0);
    Ok(Heavy(vec![
        ("owner of 300", Kind::Owner.path(tagged, 0)),
        ("300 stars", format!("{}?tab=stars", Kind::Owner.path(tagged, 0))),
        ("10,000 tags", tags.clone()),
        ("10,000 tags, in the middle", format!("{tags}&sort=name&cursor=0~-~v5000")),
        ("10,000 tags, filtered", format!("{tags}&filter=99")),
        ("README of 30 kB", repository(readme)),
        ("40 layers", Kind::Manifest.path(layered, 0)),
        ("10 platforms", Kind::Manifest.path(index, 0)),
    ]))
}

async fn many_tags(client: &Client, place: &Place) -> Result<()> {
    let tags = "INSERT INTO tag (did, rkey, repository, tag, manifest_rkey, manifest_digest, updated_at)
                SELECT m.did, m.repository || '_v' || n, m.repository, 'v' || n, m.rkey, m.digest, now() - n * interval '1 hour'
                FROM manifest m, generate_series(2, $3::integer + 1) n WHERE m.did = $1 AND m.repository = $2";
    client.execute(tags, &[&place.did, &place.name, &TAGS]).await?;
    let count = "UPDATE repository SET tags = tags + $3 WHERE did = $1 AND name = $2";
    client.execute(count, &[&place.did, &place.name, &TAGS]).await?;
    Ok(())
}

async fn long_readme(client: &Client, place: &Place) -> Result<()> {
    let section = format!(
        "## Part\n\n{}\n\n| a | b |\n|---|---|\n| `one` | two |\n\n```sh\nmake install\n```\n\n- [a link](https://example.com/)\n\n",
        "It says something of *this* and **that**. ".repeat(8)
    );
    let page = "INSERT INTO page (did, rkey, repository, description, summary, updated_at)
                VALUES ($1, $2, $2, repeat($3, $4), 'long', now()) ON CONFLICT (did, rkey) DO UPDATE SET description = excluded.description";
    client.execute(page, &[&place.did, &place.name, &section, &SECTIONS]).await?;
    let count = "UPDATE repository SET pages = 1 WHERE did = $1 AND name = $2";
    client.execute(count, &[&place.did, &place.name]).await?;
    Ok(())
}

async fn many_layers(client: &Client, place: &Place) -> Result<()> {
    let layers = "INSERT INTO layer (did, rkey, position, digest, media_type, size)
                  SELECT m.did, m.rkey, n, 'sha256:' || encode(sha256(n::text::bytea), 'hex'),
                         'application/vnd.oci.image.layer.v1.tar+gzip', n * 100000
                  FROM manifest m, generate_series(2, $3::integer - 1) n WHERE m.did = $1 AND m.repository = $2";
    client.execute(layers, &[&place.did, &place.name, &LAYERS]).await?;
    let step = |n: i32| {
        let run = "apt-get update && apt-get install --yes something && rm -rf /var/lib/apt/lists/*";
        serde_json::json!({"created": "2026-11-01T12:00:00Z", "created_by": format!("RUN /bin/sh -c {run} # {n}")})
    };
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64", "created": "2026-11-01T12:00:00Z",
        "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["/bin/app"], "Labels": {"a": "b"}},
        "history": (0..LAYERS).map(step).collect::<Vec<_>>()})
    .to_string()
    .into_bytes();
    let digest = types::Digest::sha256(&config);
    let insert = "INSERT INTO image_config (digest, os, architecture, bytes) VALUES ($1, 'linux', 'amd64', $2)";
    client.execute(insert, &[&digest.as_str(), &config]).await?;
    let update = "UPDATE manifest SET config_digest = $3 WHERE did = $1 AND repository = $2";
    client.execute(update, &[&place.did, &place.name, &digest.as_str()]).await?;
    Ok(())
}

/// Its images are the manifests of the owner's other repositories.
async fn large_index(client: &Client, place: &Place) -> Result<()> {
    let update = "UPDATE manifest SET kind = 'index', media_type = 'application/vnd.oci.image.index.v1+json'
                  WHERE did = $1 AND repository = $2";
    client.execute(update, &[&place.did, &place.name]).await?;
    let platforms = "INSERT INTO platform (did, rkey, position, digest, media_type, size, os, architecture)
                     SELECT m.did, m.rkey, other.n, other.digest, other.media_type, 1000, 'linux', 'cpu' || other.n
                     FROM manifest m, LATERAL (
                         SELECT row_number() OVER (ORDER BY o.rkey)::integer AS n, o.digest, o.media_type
                         FROM manifest o WHERE o.did = m.did AND o.kind = 'image' ORDER BY o.rkey LIMIT $3) other
                     WHERE m.did = $1 AND m.repository = $2";
    client.execute(platforms, &[&place.did, &place.name, &i64::from(PLATFORMS)]).await?;
    Ok(())
}
