use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;

use crate::{OutboundError, guard::Guard};

/// TLS as every connection of ours speaks it: ring, and the machine's roots. A machine without roots cannot reach the
/// public network; the demo, which never leaves it, needs none.
pub(crate) fn client_config(guard: Guard) -> Result<ClientConfig, OutboundError> {
    let provider = Arc::new(ring::default_provider());
    let setup = |error: rustls::Error| OutboundError::Setup(format!("{error} (Debian: install ca-certificates)"));
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(setup)?;
    match Verifier::new(provider) {
        Ok(verifier) => {
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
        }
        Err(error) if guard.allows_private_network() => {
            tracing::warn!(error = %error, "no certificate authorities found: TLS connections will fail");
            Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        }
        Err(error) => Err(setup(error)),
    }
}
