//! Each row of the table of clients, request by request: what they send is answered as they need it, whichever version of
//! a client is installed here.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;

use super::world::World;
use crate::harness::http::client;
use crate::harness::images::{Image, MANIFEST, sha256};
use crate::harness::passed;

const DOCKER: [&str; 3] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
];

struct Rows {
    world: World,
    image: Image,
}

#[tokio::test]
async fn each_row_of_the_table_is_answered_as_its_client_needs() -> Result<()> {
    let world = World::start().await?;
    let image = Image::saying("row by row")?;
    world.publish("app", &image).await?;
    let rows = Rows { world, image };
    let outcomes = [
        ("docker", rows.docker().await),
        ("containerd", rows.containerd().await),
        ("containerd resumes", rows.containerd_resumes().await),
        ("containerd's token", rows.containerd_posts().await),
        ("skopeo", rows.skopeo().await),
        ("crane", rows.crane().await),
        ("oras", rows.oras().await),
        ("oci-client", rows.oci_client().await),
    ];
    let failed: Vec<_> = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    passed()
}

fn text<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl Rows {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        client().request(method, self.world.crowsnest.url(&format!("/v2/{path}")))
    }

    /// An anonymous token, by way of the challenge of `/v2/`, whose realm has to be this very host.
    async fn token(&self) -> Result<String> {
        let ping = self.ask(Method::GET, "").send().await?;
        ensure!(ping.status() == StatusCode::UNAUTHORIZED, "the ping is open: {}", ping.status());
        ensure!(text(&ping, "docker-distribution-api-version") == "registry/2.0", "no version");
        let realm = text(&ping, "www-authenticate").split('"').nth(1).unwrap_or_default().to_owned();
        ensure!(realm == self.world.crowsnest.url("/auth/token"), "the realm is {realm}");
        let query = [("service", "crowsnest"), ("scope", "repository:alice.test/app:pull")];
        let answer: Value = client().get(realm).query(&query).send().await?.json().await?;
        ensure!(answer["token"] == answer["access_token"], "two tokens: {answer}");
        ensure!(answer["expires_in"].as_u64() >= Some(60) && answer["issued_at"].is_string(), "{answer}");
        answer["token"].as_str().map(str::to_owned).context("no token")
    }

    /// A manifest by HEAD: its headers are right.
    async fn head(&self, request: RequestBuilder) -> Result<()> {
        let head = request.send().await?;
        ensure!(head.status() == StatusCode::OK, "HEAD: {}", head.status());
        ensure!(text(&head, "content-type") == MANIFEST, "{}", text(&head, "content-type"));
        ensure!(text(&head, "docker-content-digest") == self.image.manifest.digest, "another digest");
        ensure!(text(&head, "content-length") == self.image.manifest.bytes.len().to_string(), "another length");
        Ok(())
    }

    /// A manifest by GET: the bytes as they were pushed, unpacked by nobody.
    async fn manifest(&self, request: RequestBuilder) -> Result<()> {
        let answer = request.header(header::ACCEPT_ENCODING, "gzip").send().await?;
        ensure!(answer.status() == StatusCode::OK, "GET: {}", answer.status());
        ensure!(!answer.headers().contains_key(header::CONTENT_ENCODING), "encoded");
        ensure!(sha256(&answer.bytes().await?) == self.image.manifest.digest, "other bytes");
        Ok(())
    }

    /// Where a blob is; nothing is encoded on the way.
    async fn located(&self, request: RequestBuilder) -> Result<String> {
        let answer = request.header(header::ACCEPT_ENCODING, "gzip").send().await?;
        ensure!(answer.status() == StatusCode::TEMPORARY_REDIRECT, "a blob: {}", answer.status());
        ensure!(!answer.headers().contains_key(header::CONTENT_ENCODING), "encoded");
        Ok(text(&answer, "location").to_owned())
    }

    fn layer(&self) -> RequestBuilder {
        self.ask(Method::GET, &format!("alice.test/app/blobs/{}", self.image.layer.digest))
    }

    /// Several separate lines of Accept, of which the last one is right.
    async fn docker(&self) -> Result<()> {
        let token = self.token().await?;
        let accepting = |request: RequestBuilder| {
            DOCKER.iter().fold(request.bearer_auth(&token), |request, accept| request.header(header::ACCEPT, *accept))
        };
        self.head(accepting(self.ask(Method::HEAD, "alice.test/app/manifests/v1"))).await?;
        let by_digest = format!("alice.test/app/manifests/{}", self.image.manifest.digest);
        self.manifest(accepting(self.ask(Method::GET, &by_digest))).await?;
        for blob in [&self.image.config, &self.image.layer] {
            let request = self.ask(Method::GET, &format!("alice.test/app/blobs/{}", blob.digest));
            let url = self.located(request.bearer_auth(&token)).await?;
            ensure!(sha256(&client().get(url).send().await?.bytes().await?) == blob.digest, "another blob");
        }
        Ok(())
    }

    /// Accept ends in `*/*`, and no token is asked for.
    async fn containerd(&self) -> Result<()> {
        let accept = format!("{}, */*", DOCKER.join(", "));
        self.head(self.ask(Method::HEAD, "alice.test/app/manifests/v1").header(header::ACCEPT, accept)).await?;
        let accept = format!("{}, */*", self.image.layer.media_type);
        self.located(self.layer().header(header::ACCEPT, accept)).await.map(drop)
    }

    /// `Range: bytes=N-`, to which storage gives the rest.
    async fn containerd_resumes(&self) -> Result<()> {
        let url = self.located(self.layer().header(header::RANGE, "bytes=10-")).await?;
        let rest = client().get(url).header(header::RANGE, "bytes=10-").send().await?;
        ensure!(rest.status() == StatusCode::PARTIAL_CONTENT, "the rest: {}", rest.status());
        ensure!(rest.bytes().await? == self.image.layer.bytes[10..], "another rest");
        Ok(())
    }

    /// It asks for its token by a form first.
    async fn containerd_posts(&self) -> Result<()> {
        let form = [("grant_type", "password"), ("service", "crowsnest"), ("scope", "repository:alice.test/app:pull")];
        let answer = client().post(self.world.crowsnest.url("/auth/token")).form(&form).send().await?;
        match answer.status() {
            // These let it fall back to GET.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            StatusCode::OK => {
                ensure!(answer.json::<Value>().await?["access_token"].is_string(), "no token");
                Ok(())
            }
            other => anyhow::bail!("a form: {other}"),
        }
    }

    /// The first GET of a blob is answered with all of it: 200, not 206.
    async fn skopeo(&self) -> Result<()> {
        let token = self.token().await?;
        self.manifest(self.ask(Method::GET, "alice.test/app/manifests/v1").bearer_auth(&token)).await?;
        let url = self.located(self.layer().bearer_auth(&token)).await?;
        let blob = client().get(url).send().await?;
        ensure!(blob.status() == StatusCode::OK, "the first GET of a blob: {}", blob.status());
        ensure!(blob.bytes().await? == self.image.layer.bytes, "another blob");
        Ok(())
    }

    /// A realm on this host, HEAD for the digest, `tags/list?n=1000`.
    async fn crane(&self) -> Result<()> {
        let token = self.token().await?;
        self.head(self.ask(Method::HEAD, "alice.test/app/manifests/v1").bearer_auth(&token)).await?;
        let tags = self.ask(Method::GET, "alice.test/app/tags/list?n=1000").bearer_auth(&token).send().await?;
        ensure!(tags.status() == StatusCode::OK && !tags.headers().contains_key(header::LINK), "{tags:?}");
        let tags: Value = tags.json().await?;
        ensure!(tags == serde_json::json!({"name": "alice.test/app", "tags": ["v1"]}), "{tags}");
        Ok(())
    }

    /// It asks for parts only of what says that it has parts; HEAD of a blob is answered here, with its length.
    async fn oras(&self) -> Result<()> {
        let path = format!("alice.test/app/blobs/{}", self.image.layer.digest);
        let head = self.ask(Method::HEAD, &path).send().await?;
        ensure!(head.status() == StatusCode::OK, "HEAD of a blob: {}", head.status());
        ensure!(text(&head, "accept-ranges") == "bytes", "no ranges");
        ensure!(text(&head, "content-length") == self.image.layer.bytes.len().to_string(), "another length");
        ensure!(text(&head, "docker-content-digest") == self.image.layer.digest, "another digest");
        Ok(())
    }

    /// The ping before each call, and blobs that are asked for as if they were manifests.
    async fn oci_client(&self) -> Result<()> {
        for _ in 0..2 {
            let token = self.token().await?;
            let accept = format!("{}, {MANIFEST}", DOCKER.join(", "));
            self.located(self.layer().header(header::ACCEPT, accept).bearer_auth(token)).await?;
        }
        Ok(())
    }
}
