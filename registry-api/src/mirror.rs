//! As a mirror: containerd and BuildKit say in `?ns=` for which registry they ask
//! ([hosts.toml](https://github.com/containerd/containerd/blob/main/docs/hosts.md)). Podman's mirrors say nothing.

use url::form_urlencoded;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
};

/// The registry whose images are indexed here.
const MIRRORED: &str = "atcr.io";

/// Refuses what is asked for as another registry's: the same name there is another image, and a client that is told so asks that
/// registry itself.
pub(crate) fn admit(registry: &Registry, query: &str) -> Result<()> {
    let Some((_, asked)) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "ns") else { return Ok(()) };
    if asked.is_empty() || asked.eq_ignore_ascii_case(MIRRORED) || asked.eq_ignore_ascii_case(registry.tokens.service())
    {
        return Ok(());
    }
    let asked: String = asked.chars().filter(|c| !c.is_control()).take(100).collect();
    Err(OciError::new(
        Code::NameUnknown,
        format!("this is a mirror of {MIRRORED}, and has nothing of {asked}: take it out of that registry's mirrors"),
    ))
}
