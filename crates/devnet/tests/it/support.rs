use crowsnest_devnet::{Devnet, DevnetConfig};
use serde_json::Value;

/// A devnet in a directory of its own.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) devnet: Devnet,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let devnet = Devnet::start(DevnetConfig::new(directory.path())).await.unwrap();
        Self { directory, devnet }
    }
}

/// GETs JSON, whatever the status.
pub(crate) async fn get(url: &str) -> (u16, Value) {
    let answer = client().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A client that follows no redirect.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
