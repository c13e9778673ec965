//! Who may read a hold's blobs. Whoever is asked for one decides here first, and the hold decides in the end.

use crate::Did;

/// What a hold's declaration says about its blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// By its captain record.
    Captain {
        /// Who runs it.
        owner: Did,
        /// Blobs may be read without authentication.
        public: bool,
    },
    /// By a legacy record of its owner: a hold of the old generation, which admits whoever is signed in.
    Legacy {
        /// As above.
        public: bool,
    },
}

impl Declared {
    /// Whether an account, or nobody, may read blobs. `permissions` are those that the hold's crew records give it.
    /// `allowAllCrew` says who may join the crew, and nothing here.
    pub fn may_read(&self, reader: Option<&Did>, permissions: &[impl AsRef<str>]) -> bool {
        let reads = || permissions.iter().any(|one| matches!(one.as_ref(), "blob:read" | "blob:write"));
        match self {
            Self::Captain { public: true, .. } | Self::Legacy { public: true } => true,
            Self::Captain { owner, .. } => reader.is_some_and(|reader| reader == owner || reads()),
            Self::Legacy { .. } => reader.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Declared;
    use crate::Did;

    #[test]
    fn the_table() {
        let [owner, other]: [Did; 2] = ["did:plc:owner", "did:plc:other"].map(|did| did.parse().unwrap());
        let captain = |public| Declared::Captain { owner: owner.clone(), public };
        let legacy = |public| Declared::Legacy { public };
        for (who, permissions, private, old_private) in [
            (None, &[][..], false, false),
            (Some(&owner), &[], true, true),
            (Some(&other), &["blob:read"], true, true),
            (Some(&other), &["blob:write"], true, true),
            (Some(&other), &["crew:admin"], false, true),
            (Some(&other), &[], false, true),
            (None, &["blob:read"], false, false),
        ] {
            let asked = format!("{who:?} {permissions:?}");
            assert!(captain(true).may_read(who, permissions) && legacy(true).may_read(who, permissions), "{asked}");
            assert_eq!(captain(false).may_read(who, permissions), private, "{asked}");
            assert_eq!(legacy(false).may_read(who, permissions), old_private, "{asked}");
        }
    }
}
