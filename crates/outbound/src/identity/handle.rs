use std::{collections::BTreeSet, time::Duration};

use hickory_resolver::{TokioResolver, proto::rr::RData};
use http::StatusCode;
use serde::Deserialize;
use tokio::time::timeout;
use types::{Did, Handle};
use url::Url;

use crate::{Limits, Outbound, OutboundError, xrpc};

/// How long the TXT record may take.
const TXT_TIMEOUT: Duration = Duration::from_secs(5);

/// How handles are resolved ([handle resolution](https://atproto.com/specs/handle#handle-resolution)).
pub(super) enum HandleLookup {
    /// By a server that does it for us.
    Xrpc(Url),
    /// By the TXT record `_atproto.<handle>`, then `https://<handle>/.well-known/atproto-did`.
    Own(Box<TokioResolver>),
}

impl HandleLookup {
    pub fn new(resolver_url: Option<Url>) -> Result<Self, OutboundError> {
        if let Some(url) = resolver_url {
            return Ok(Self::Xrpc(url));
        }
        let dns = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        dns.map(|dns| Self::Own(Box::new(dns)))
            .map_err(|error| OutboundError::Setup(format!("the DNS configuration cannot be read: {error}")))
    }

    /// The handle's DID; `None` when it has none, an error when nobody could tell.
    pub async fn resolve(&self, outbound: &Outbound, handle: &Handle) -> Result<Option<Did>, OutboundError> {
        match self {
            Self::Xrpc(server) => by_xrpc(outbound, server, handle).await,
            Self::Own(dns) => match by_txt(dns, handle).await {
                Ok(Some(did)) => Ok(Some(did)),
                Ok(None) => by_well_known(outbound, handle).await,
                // An answer of the host settles it; its silence does not, while DNS is out too.
                Err(error) => by_well_known(outbound, handle).await?.map(Some).ok_or(error),
            },
        }
    }
}

async fn by_xrpc(outbound: &Outbound, server: &Url, handle: &Handle) -> Result<Option<Did>, OutboundError> {
    #[derive(Deserialize)]
    struct Output {
        did: Did,
    }
    let url = xrpc::url(server, "com.atproto.identity.resolveHandle", &[("handle", handle.as_str())])?;
    match outbound.get_json::<Output>(&url, Limits::SMALL).await {
        Ok(output) => Ok(Some(output.did)),
        Err(error) if matches!(error.status(), Some(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn by_txt(dns: &TokioResolver, handle: &Handle) -> Result<Option<Did>, OutboundError> {
    let name = format!("_atproto.{handle}.");
    let failed = |why: String| OutboundError::Dns { host: name.clone(), why };
    let lookup = match timeout(TXT_TIMEOUT, dns.txt_lookup(name.as_str())).await {
        Err(_) => return Err(failed("no answer in time".into())),
        Ok(Err(error)) if error.is_no_records_found() => return Ok(None),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Ok(Ok(lookup)) => lookup,
    };
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(txt.txt_data.concat()),
        _ => None,
    });
    Ok(did_of_records(records))
}

/// Several records that disagree name nobody.
fn did_of_records(records: impl Iterator<Item = Vec<u8>>) -> Option<Did> {
    let texts = records.filter_map(|record| String::from_utf8(record).ok());
    let mut dids: BTreeSet<Did> = texts.filter_map(|text| text.strip_prefix("did=")?.trim().parse().ok()).collect();
    if dids.len() == 1 { dids.pop_first() } else { None }
}

async fn by_well_known(outbound: &Outbound, handle: &Handle) -> Result<Option<Did>, OutboundError> {
    let host: Result<Url, _> = format!("https://{handle}/.well-known/atproto-did").parse();
    let Ok(url) = host else { return Ok(None) };
    match outbound.get(&url, Limits::SMALL.with_max_bytes(4096)).await {
        Ok(answer) => Ok(str::from_utf8(&answer.body).ok().and_then(|text| text.trim().parse().ok())),
        // A host that is down says nothing about its handle. One that does not exist does: most handles have DNS only.
        Err(error) if error.is_transient() && !matches!(error, OutboundError::Dns { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::did_of_records;

    #[test]
    fn txt_records() {
        let did = |records: &[&str]| did_of_records(records.iter().map(|r| r.as_bytes().to_vec())).map(String::from);
        let abc = Some("did:plc:abc".to_owned());
        assert_eq!(did(&["v=spf1 -all", "did=did:plc:abc"]), abc);
        assert_eq!(did(&["did=did:plc:abc", "did=did:plc:abc "]), abc);
        for none in [&["did=did:plc:abc", "did=did:plc:xyz"][..], &["did:plc:abc"], &["did=nonsense"], &[]] {
            assert_eq!(did(none), None, "{none:?}");
        }
    }
}
