//! S3 that checks signatures and their expiry for real: SeaweedFS, and URLs presigned for it
//! ([Signature Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::http::client;
use super::images::Blob;
use super::process::Server;
use super::scratch::Scratch;
use super::{STORAGE, eventually, free_port, oras};

const READY_WITHIN: Duration = Duration::from_secs(60);
const KEY: &str = "crowsnest-test";
const SECRET: &str = "not-a-secret-but-a-test";
const NAME: &str = "blobs";
/// What a query may hold unescaped.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// For how long a URL is good.
const LIFETIME: Duration = Duration::from_secs(900);

/// A running SeaweedFS, stopped with this value.
pub struct SeaweedFs {
    _server: Server,
    /// Its one bucket.
    pub bucket: Bucket,
}

/// A bucket, and the right to sign for it.
#[derive(Clone)]
pub struct Bucket {
    host: String,
}

impl SeaweedFs {
    /// Starts one with an empty bucket.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        let folder = scratch.folder("seaweedfs")?;
        let identity = json!({"identities": [{"name": "hold", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                                              "actions": ["Admin", "Read", "Write", "List"]}]});
        let config = folder.join("s3.json");
        fs::write(&config, identity.to_string())?;
        let mut weed = Command::new(oras::program("weed")?);
        weed.arg("server").arg(format!("-dir={}", folder.display())).arg(format!("-s3.config={}", config.display()));
        weed.args([format!("-ip={STORAGE}"), format!("-ip.bind={STORAGE}")]);
        weed.args(["-filer=true", "-s3", "-volume.max=5", "-master.telemetry=false"]);
        weed.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        let s3 = free_port()?;
        weed.arg(format!("-s3.port={s3}"));
        for part in ["master.port", "volume.port", "filer.port"] {
            weed.arg(format!("-{part}={}", free_port()?)).arg(format!("-{part}.grpc={}", free_port()?));
        }
        weed.arg(format!("-s3.port.grpc={}", free_port()?));
        let server = Server::start("SeaweedFS", weed, &scratch.path("seaweedfs.log"))?;
        let weed = SeaweedFs { _server: server, bucket: Bucket { host: format!("{STORAGE}:{s3}") } };
        let url = weed.bucket.sign("PUT", &format!("/{NAME}"), LIFETIME);
        let made = async || {
            let answer = client().put(&url).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        };
        eventually("SeaweedFS has a bucket", READY_WITHIN, made).await?;
        Ok(weed)
    }
}

impl Bucket {
    /// Stores a blob under its digest.
    pub async fn keep(&self, blob: &Blob) -> Result<()> {
        let url = self.sign("PUT", &path(&blob.digest), LIFETIME);
        let answer = client().put(url).body(blob.bytes.clone()).send().await.context("SeaweedFS does not answer")?;
        ensure!(answer.status().is_success(), "SeaweedFS does not keep a blob: {}", answer.status());
        Ok(())
    }

    /// A URL that reads a blob.
    pub fn presigned(&self, digest: &str) -> String {
        self.sign("GET", &path(digest), LIFETIME)
    }

    /// The same for another time.
    pub fn presigned_at(&self, digest: &str, lifetime: Duration, at: DateTime<Utc>) -> String {
        self.sign_at("GET", &path(digest), lifetime, at)
    }

    fn sign(&self, method: &str, path: &str, lifetime: Duration) -> String {
        self.sign_at(method, path, lifetime, Utc::now())
    }

    fn sign_at(&self, method: &str, path: &str, lifetime: Duration, now: DateTime<Utc>) -> String {
        let (time, day) = (now.format("%Y%m%dT%H%M%SZ").to_string(), now.format("%Y%m%d").to_string());
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        let credential = format!("{KEY}/{scope}");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires={}&X-Amz-SignedHeaders=host",
            utf8_percent_encode(&credential, QUERY),
            lifetime.as_secs()
        );
        let request = format!("{method}\n{path}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", self.host);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
        let parts = [day.as_str(), "us-east-1", "s3", "aws4_request", &to_sign];
        let signature = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part.as_bytes()));
        format!("http://{}{path}?{query}&X-Amz-Signature={}", self.host, hex::encode(signature))
    }
}

fn path(digest: &str) -> String {
    format!("/{NAME}/{}", digest.trim_start_matches("sha256:"))
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
