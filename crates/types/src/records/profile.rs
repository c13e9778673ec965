use super::fields::Fields;
use crate::Did;

/// `io.atcr.sailor.profile`: a person's settings; nothing in it is required.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Where their pushes go; old records hold a URL, read as its `did:web`.
    pub default_hold: Option<Did>,
    /// The client that they like to be shown: docker, podman, buildah, nerdctl, crane, none.
    pub oci_client: Option<String>,
    /// The host that they like to be shown in pull commands.
    pub registry_domain: Option<String>,
}

impl Profile {
    pub(super) fn decode(fields: &Fields<'_>) -> Self {
        let hold = fields.opt_text("defaultHold");
        Self {
            default_hold: hold.and_then(|hold| hold.parse().ok().or_else(|| Did::web_of_endpoint(&hold))),
            oci_client: fields.opt_text("ociClient"),
            registry_domain: fields.opt_text("registryDomain"),
        }
    }
}
