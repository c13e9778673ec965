use std::{fmt, str::FromStr};

/// What a repository's latest manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactKind {
    /// An image, or an index of images.
    Image,
    /// A Helm chart.
    Chart,
    /// A WebAssembly module.
    Wasm,
    /// Anything else that a registry keeps.
    Artifact,
}

impl ArtifactKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Image, Self::Chart, Self::Wasm, Self::Artifact];

    /// By the media types that a manifest declares: its artifact type, its configuration's type, its layers' types.
    pub fn of<'a>(types: impl Iterator<Item = &'a str>) -> Self {
        let mut kind = Self::Image;
        for media_type in types {
            match media_type {
                _ if media_type.contains("cncf.helm") => return Self::Chart,
                _ if media_type.contains("wasm") => return Self::Wasm,
                "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => {
                    return Self::Image;
                }
                // What has no configuration of its own is told by its layers; these are everybody's.
                _ if media_type.contains("image.layer") || media_type.contains("image.rootfs") => {}
                _ => kind = Self::Artifact,
            }
        }
        kind
    }

    /// `image`, `chart`, `wasm`, `artifact`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Chart => "chart",
            Self::Wasm => "wasm",
            Self::Artifact => "artifact",
        }
    }
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No kind of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of artifact")]
pub struct UnknownKind;

impl FromStr for ArtifactKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// What is published about a manifest, by the types that its referrer declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// A signature by cosign, Notation or sigstore.
    pub signature: bool,
    /// A bill of materials, SPDX or CycloneDX.
    pub sbom: bool,
}

impl Evidence {
    /// By one type, or one predicate's type.
    pub fn of(declared: &str) -> Self {
        let is = |part: &str| declared.contains(part);
        Self {
            signature: is("dev.cosign.simplesigning")
                || is("dev.cosign.artifact.sig")
                || is("cncf.notary.signature")
                || is("dev.sigstore.bundle"),
            sbom: is("spdx") || is("cyclonedx"),
        }
    }

    /// By the tag under which cosign publishes it: `sha256-<hex>.sig`, `….sbom`.
    pub fn of_tag(tag: &str) -> Self {
        let ends = |end: &str| tag.starts_with("sha256-") && tag.ends_with(end);
        Self { signature: ends(".sig"), sbom: ends(".sbom") }
    }

    /// Either's.
    pub fn or(self, other: Self) -> Self {
        Self { signature: self.signature || other.signature, sbom: self.sbom || other.sbom }
    }
}

#[cfg(test)]
mod tests {
    use super::{ArtifactKind, Evidence};

    #[test]
    fn types_say_what_it_is() {
        let of = |types: &[&str]| ArtifactKind::of(types.iter().copied());
        assert_eq!(of(&["application/vnd.oci.image.config.v1+json"]), ArtifactKind::Image);
        assert_eq!(of(&[]), ArtifactKind::Image);
        assert_eq!(of(&["application/vnd.oci.image.layer.v1.tar+gzip"]), ArtifactKind::Image);
        assert_eq!(of(&["application/vnd.cncf.helm.config.v1+json"]), ArtifactKind::Chart);
        assert_eq!(
            of(&["application/vnd.oci.empty.v1+json", "application/vnd.wasm.content.layer.v1+wasm"]),
            ArtifactKind::Wasm
        );
        assert_eq!(of(&["application/vnd.example.thing"]), ArtifactKind::Artifact);
        for kind in ArtifactKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("IMAGE".parse::<ArtifactKind>().is_err());
    }

    #[test]
    fn evidence_is_seen() {
        let seen =
            Evidence::of("application/vnd.dev.cosign.artifact.sig.v1+json").or(Evidence::of_tag("sha256-ab.sbom"));
        assert_eq!(seen, Evidence { signature: true, sbom: true });
        assert_eq!(Evidence::of("https://spdx.dev/Document"), Evidence { signature: false, sbom: true });
        assert_eq!(Evidence::of_tag("v1.sig"), Evidence::default());
    }
}
