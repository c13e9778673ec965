//! What is true of an index, in a form that two sides can be compared in.

use std::collections::BTreeMap;

/// A value that the records do not settle.
pub const ANY: &str = "*";

/// What something is called, and what is true of it: lines that people can read.
#[derive(Clone, Debug, Default)]
pub struct Facts(pub BTreeMap<String, String>);

impl Facts {
    pub fn add(&mut self, name: String, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    /// What the index shows and should not, and what it should show and does not.
    pub fn differences(&self, shown: &Facts) -> Vec<String> {
        let differs = |expected: &str, shown: &str| {
            if expected == ANY {
                return false;
            }
            let (expected, shown): (Vec<_>, Vec<_>) = (expected.split(' ').collect(), shown.split(' ').collect());
            expected.len() != shown.len() || expected.iter().zip(&shown).any(|(e, s)| *e != ANY && e != s)
        };
        let mut found = Vec::new();
        for (name, expected) in &self.0 {
            match shown.0.get(name) {
                None => found.push(format!("{name}: not shown; expected {expected}")),
                Some(shown) if differs(expected, shown) => {
                    found.push(format!("{name}: shown {shown}; expected {expected}"));
                }
                Some(_) => {}
            }
        }
        let extra = shown.0.iter().filter(|(name, _)| !self.0.contains_key(*name));
        found.extend(extra.map(|(name, shown)| format!("{name}: shown {shown}; expected nothing")));
        found
    }
}

/// Values as one, each without spaces.
pub fn values(values: &[&str]) -> String {
    let clean = |value: &&str| if value.is_empty() { "-".to_owned() } else { value.replace(char::is_whitespace, "_") };
    values.iter().map(clean).collect::<Vec<_>>().join(" ")
}
