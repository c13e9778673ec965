use std::{fmt, str::FromStr};

/// The media types under which crowsnest serves a manifest: an allow-list, so that what a stranger wrote into a record
/// can never become a `Content-Type` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ManifestMediaType {
    /// `application/vnd.oci.image.manifest.v1+json`
    OciManifest,
    /// `application/vnd.oci.image.index.v1+json`
    OciIndex,
    /// `application/vnd.docker.distribution.manifest.v2+json`
    DockerManifest,
    /// `application/vnd.docker.distribution.manifest.list.v2+json`
    DockerList,
}

/// Whether a manifest describes one artifact or points at several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// One artifact: a config and layers.
    Image,
    /// An index (or docker's manifest list): other manifests, usually one a platform.
    Index,
}

impl ManifestMediaType {
    /// Every type, in a fixed order.
    pub const ALL: [Self; 4] = [Self::OciManifest, Self::OciIndex, Self::DockerManifest, Self::DockerList];

    /// The type's text, without parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// One artifact, or several.
    pub const fn kind(self) -> ManifestKind {
        match self {
            Self::OciManifest | Self::DockerManifest => ManifestKind::Image,
            Self::OciIndex | Self::DockerList => ManifestKind::Index,
        }
    }
}

impl FromStr for ManifestMediaType {
    type Err = crate::NameError;

    /// Parameters (`; charset=…`) are ignored.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let essence = s.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(essence))
            .ok_or_else(|| crate::NameError::new("manifest media type", s, "not an OCI or docker manifest or index"))
    }
}

impl fmt::Display for ManifestMediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{ManifestKind, ManifestMediaType};

    #[test]
    fn only_the_four() {
        for known in ManifestMediaType::ALL {
            assert_eq!(format!("{known}; charset=utf-8").parse(), Ok(known));
        }
        assert_eq!(ManifestMediaType::DockerList.kind(), ManifestKind::Index);
        assert!("text/html".parse::<ManifestMediaType>().is_err());
    }
}
