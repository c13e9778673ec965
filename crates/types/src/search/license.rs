//! SPDX identifiers of which one means others: `GPL-3.0` stands for `GPL-3.0-only` and `GPL-3.0-or-later`.

/// What is added to the name of a licence whose later versions may, or may not, be chosen.
const ENDINGS: [&str; 3] = ["-only", "-or-later", "+"];

/// The identifiers, in lower case, of which each is what is asked for: it, and if it does not say which versions, each of those
/// that do.
pub fn licenses_meant(asked: &str) -> Vec<String> {
    let asked = asked.to_lowercase();
    let endings: &[&str] = if is_definite(&asked) { &[] } else { &ENDINGS };
    let others: Vec<String> = endings.iter().map(|ending| format!("{asked}{ending}")).collect();
    [vec![asked], others].concat()
}

/// What may be asked for, in lower case, so that this identifier is found.
pub fn license_answers(declared: &str) -> Vec<String> {
    let declared = declared.to_lowercase();
    let general = ENDINGS.iter().find_map(|ending| declared.strip_suffix(ending)).map(str::to_owned);
    [Some(declared), general].into_iter().flatten().collect()
}

fn is_definite(license: &str) -> bool {
    ENDINGS.iter().any(|ending| license.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{license_answers, licenses_meant};

    #[test]
    fn a_licence_without_its_versions_is_all_of_them() {
        assert_eq!(licenses_meant("GPL-3.0"), ["gpl-3.0", "gpl-3.0-only", "gpl-3.0-or-later", "gpl-3.0+"]);
        assert_eq!(licenses_meant("GPL-3.0-only"), ["gpl-3.0-only"]);
        assert_eq!(license_answers("GPL-3.0-or-later"), ["gpl-3.0-or-later", "gpl-3.0"]);
        assert_eq!(license_answers("MIT"), ["mit"]);
        for declared in ["MIT", "GPL-2.0+", "LGPL-2.1-only"] {
            for answer in license_answers(declared) {
                assert!(licenses_meant(&answer).contains(&declared.to_lowercase()), "{declared} {answer}");
            }
        }
    }
}
