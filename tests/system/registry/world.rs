//! The reference PDS with images, a hold that remembers who asked it what, and crowsnest behind a host that remembers too.

use std::time::Duration;

use anyhow::Result;

use crate::harness::crowsnest::Crowsnest;
use crate::harness::hold::{Hold, Options};
use crate::harness::images::Image;
use crate::harness::recorder::Recorder;
use crate::harness::reference_pds::ReferencePds;
use crate::harness::scratch::Scratch;
use crate::harness::xrpc::Account;
use crate::harness::{eventually, free_port, http, publish};

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything up. Fields are dropped in this order: the index first.
pub struct World {
    pub crowsnest: Crowsnest,
    pub recorder: Recorder,
    pub hold: Hold,
    pub alice: Account,
    pub pds: ReferencePds,
    pub scratch: Scratch,
}

impl World {
    /// With a public hold of Alice's.
    pub async fn start() -> Result<Self> {
        let scratch = Scratch::new()?;
        let pds = ReferencePds::start(&scratch).await?;
        let alice = pds.create_account("alice.test").await?;
        let options = Options { owner: alice.did.clone(), ..Options::default() };
        Self::with(scratch, pds, alice, options, &[]).await
    }

    /// With a hold of one's own, and more arguments for crowsnest.
    pub async fn with(
        scratch: Scratch,
        pds: ReferencePds,
        alice: Account,
        hold: Options,
        args: &[&str],
    ) -> Result<Self> {
        let (hold, recorder) = (Hold::with(hold).await?, Recorder::start().await?);
        let listen = format!("127.0.0.1:{}", free_port()?);
        recorder.stand_before(format!("http://{listen}"));
        let mut all = pds.args();
        all.extend(["--public-url".to_owned(), recorder.url.clone()]);
        all.extend(args.iter().map(|&arg| arg.to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let crowsnest = Crowsnest::up_at(&listen, &scratch.folder("data")?, &all).await?;
        Ok(World { crowsnest, recorder, hold, alice, pds, scratch })
    }

    /// Publishes an image of Alice's as `v1`, and waits until it can be pulled.
    pub async fn publish(&self, repository: &str, image: &Image) -> Result<()> {
        publish::manifest(&self.alice, &self.hold, repository, image).await?;
        publish::tag(&self.alice, repository, "v1", image).await?;
        let url = self.crowsnest.url(&format!("/v2/alice.test/{repository}/manifests/v1"));
        let digest = image.manifest.digest.as_str();
        let ask = async || Ok(http::manifest_digest(&url).await?.filter(|found| found == digest));
        eventually(&format!("alice.test/{repository}:v1 is {digest}"), PATIENCE, ask).await?;
        self.forget();
        Ok(())
    }

    /// Where the registry is, as clients sign in to it.
    pub fn host(&self) -> &str {
        self.recorder.url.trim_start_matches("http://")
    }

    /// Forgets all requests so far.
    pub fn forget(&self) {
        self.recorder.records.take();
        self.hold.records.take();
    }
}
