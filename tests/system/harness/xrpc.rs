//! An account on a PDS, written to through XRPC as any client would.

use anyhow::{Context as _, Result, ensure};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::http::client;

/// A signed-in account.
#[derive(Clone)]
pub struct Account {
    /// Base URL of its PDS.
    pds: String,
    /// Its DID.
    pub did: String,
    token: String,
}

impl Account {
    /// Opens an account.
    pub async fn create(pds: &str, handle: &str) -> Result<Self> {
        let email = format!("{}@example.invalid", handle.replace('.', "-"));
        let input = json!({"handle": handle, "email": email, "password": "password"});
        Self::session(pds, "com.atproto.server.createAccount", input).await
    }

    /// Signs in to an account that exists.
    pub async fn sign_in(pds: &str, identifier: &str, password: &str) -> Result<Self> {
        let input = json!({"identifier": identifier, "password": password});
        Self::session(pds, "com.atproto.server.createSession", input).await
    }

    async fn session(pds: &str, method: &str, input: Value) -> Result<Self> {
        let pds = pds.trim_end_matches('/').to_owned();
        let session = answer(client().post(format!("{pds}/xrpc/{method}")).json(&input)).await?;
        let text = |field: &str| session[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
        Ok(Account { did: text("did")?, token: text("accessJwt")?, pds })
    }

    /// Uploads a blob; the answer is the `blob` object that a record holds.
    pub async fn upload_blob(&self, media_type: &str, bytes: Vec<u8>) -> Result<Value> {
        let request = self.post("com.atproto.repo.uploadBlob").header("content-type", media_type).body(bytes);
        Ok(answer(request).await?["blob"].take())
    }

    /// Creates or replaces a record.
    pub async fn put_record(&self, collection: &str, rkey: &str, record: &Value) -> Result<()> {
        let input =
            json!({"repo": self.did, "collection": collection, "rkey": rkey, "record": record, "validate": false});
        answer(self.post("com.atproto.repo.putRecord").json(&input)).await.map(drop)
    }

    /// Deletes a record.
    pub async fn delete_record(&self, collection: &str, rkey: &str) -> Result<()> {
        let input = json!({"repo": self.did, "collection": collection, "rkey": rkey});
        answer(self.post("com.atproto.repo.deleteRecord").json(&input)).await.map(drop)
    }

    /// Makes an app password.
    pub async fn app_password(&self, name: &str) -> Result<String> {
        let made = answer(self.post("com.atproto.server.createAppPassword").json(&json!({"name": name}))).await?;
        made["password"].as_str().map(str::to_owned).context("no password")
    }

    /// A token with which the account may call a method of another service.
    pub async fn service_token(&self, aud: &str, lxm: &str) -> Result<String> {
        let url = format!("{}/xrpc/com.atproto.server.getServiceAuth", self.pds);
        let request = client().get(url).query(&[("aud", aud), ("lxm", lxm)]).bearer_auth(&self.token);
        answer(request).await?["token"].as_str().map(str::to_owned).context("no token")
    }

    /// The first hundred records of a collection: `{uri, cid, value}`.
    pub async fn list_records(&self, collection: &str) -> Result<Vec<Value>> {
        let url = format!("{}/xrpc/com.atproto.repo.listRecords", self.pds);
        let request =
            client().get(url).query(&[("repo", self.did.as_str()), ("collection", collection), ("limit", "100")]);
        Ok(answer(request).await?["records"].as_array().cloned().unwrap_or_default())
    }

    fn post(&self, method: &str) -> RequestBuilder {
        client().post(format!("{}/xrpc/{method}", self.pds)).bearer_auth(&self.token)
    }
}

async fn answer(request: RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let (status, url) = (response.status(), response.url().clone());
    let body = response.text().await?;
    ensure!(status.is_success(), "{url}: {status}: {body}");
    // deleteRecord may answer with nothing.
    Ok(serde_json::from_str(&body).unwrap_or_default())
}
