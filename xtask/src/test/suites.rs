//! The table of suites.

use anyhow::Result;

use super::tools::{self, Tool};
use crate::Unusable;

/// A named set of tests.
pub struct Suite {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// What must be installed.
    pub needs: &'static [Tool],
    /// Whether it runs only with `--full` (or when named).
    pub only_in_full: bool,
    /// Which tests it is.
    pub tests: Tests,
}

/// Which tests a suite consists of.
pub enum Tests {
    /// Those of every crate but `crowsnest-tests`.
    Unit,
    /// The examples in the documentation.
    Docs,
    /// The targets in `fuzz/`.
    Fuzz,
    /// A module of `tests/system`.
    System(&'static str),
}

/// All suites, in the order they run: the quick ones first.
pub static SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        about: "every crate's own tests",
        needs: &[tools::POSTGRES],
        only_in_full: false,
        tests: Tests::Unit,
    },
    Suite {
        name: "docs",
        about: "the examples in the documentation",
        needs: &[],
        only_in_full: false,
        tests: Tests::Docs,
    },
    Suite {
        name: "cli",
        about: "unusable arguments and set-ups end with one line and exit code 2",
        needs: &[tools::POSTGRES],
        only_in_full: false,
        tests: Tests::System("cli"),
    },
    Suite {
        name: "stall",
        about: "a source that is stopped: readiness, failover, nothing lost, and back",
        needs: &[tools::POSTGRES],
        only_in_full: false,
        tests: Tests::System("stall"),
    },
    Suite {
        name: "index",
        about: "a thousand histories in any order, duplication and batching: the index that a fold in memory expects",
        needs: &[tools::POSTGRES],
        only_in_full: false,
        tests: Tests::System("index"),
    },
    Suite {
        name: "faults",
        about: "indexers are killed, stopped and cut off, Postgres is restarted: both digests stay the same",
        needs: &[tools::POSTGRES],
        only_in_full: false,
        tests: Tests::System("faults"),
    },
    Suite {
        name: "devnet",
        about: "the demo network, through its Jetstream, to skopeo, podman and docker",
        needs: &[tools::POSTGRES, tools::SKOPEO, tools::PODMAN, tools::DOCKER, tools::CONTAINERD],
        only_in_full: false,
        tests: Tests::System("devnet_pull"),
    },
    Suite {
        name: "pds",
        about: "the reference PDS, through its firehose, to skopeo, podman and docker",
        needs: &[
            tools::POSTGRES,
            tools::SKOPEO,
            tools::PODMAN,
            tools::DOCKER,
            tools::CONTAINERD,
            tools::NODE,
            tools::NPM,
            tools::PYTHON,
            tools::MAKE,
            tools::CXX,
            tools::REFERENCE_PDS,
        ],
        only_in_full: false,
        tests: Tests::System("pds_pull"),
    },
    Suite {
        name: "registry",
        about: "docker, podman, skopeo, buildah, ctr, oras, oci-client: what each of them pulls, sends and needs",
        needs: &[
            tools::POSTGRES,
            tools::SKOPEO,
            tools::PODMAN,
            tools::BUILDAH,
            tools::DOCKER,
            tools::CONTAINERD,
            tools::NODE,
            tools::NPM,
            tools::PYTHON,
            tools::MAKE,
            tools::CXX,
            tools::REFERENCE_PDS,
            tools::VENV,
            tools::PYTHON_PACKAGES,
        ],
        only_in_full: false,
        tests: Tests::System("registry"),
    },
    Suite {
        name: "web",
        about: "every page in headless Chromium: with and without JavaScript, on a phone, in both themes, judged by axe",
        needs: &[
            tools::POSTGRES,
            tools::CHROMIUM,
            tools::NODE,
            tools::NPM,
            tools::PYTHON,
            tools::MAKE,
            tools::CXX,
            tools::BROWSER_DRIVER,
        ],
        only_in_full: false,
        tests: Tests::System("web"),
    },
    Suite {
        name: "fuzz",
        about: "frames, CARs, blocks and records, fuzzed for a minute each: no panic, no hang, at most 64 MB",
        needs: &[tools::CXX],
        only_in_full: true,
        tests: Tests::Fuzz,
    },
];

impl Suite {
    /// Its line in `--list`.
    pub fn line(&self) -> String {
        let needs: Vec<_> = self.needs.iter().map(|tool| tool.name).collect();
        let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
        let full = if self.only_in_full { " (--full)" } else { "" };
        format!("{:<10} {}{needs}{full}", self.name, self.about)
    }
}

/// The suites named, or else all, the long ones only if `full`.
///
/// # Errors
/// A name is unknown ([`Unusable`]).
pub fn select(names: &[String], full: bool) -> Result<Vec<&'static Suite>> {
    for name in names {
        if !SUITES.iter().any(|suite| suite.name == name) {
            let all: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
            return Err(Unusable(format!("no suite named {name}; there are: {}", all.join(", "))).into());
        }
    }
    let chosen = |suite: &&Suite| {
        if names.is_empty() { full || !suite.only_in_full } else { names.iter().any(|name| name == suite.name) }
    };
    Ok(SUITES.iter().filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str], full: bool) -> Result<Vec<&'static str>> {
        let only: Vec<_> = only.iter().map(ToString::to_string).collect();
        Ok(select(&only, full)?.iter().map(|suite| suite.name).collect())
    }

    #[test]
    fn suites_run_in_the_order_of_the_table_whatever_was_asked() {
        assert_eq!(names(&["docs", "unit"], false).unwrap(), ["unit", "docs"]);
        assert_eq!(names(&[], true).unwrap().len(), SUITES.len());
    }

    #[test]
    fn an_unknown_suite_is_named_with_those_there_are() {
        let error = names(&["unit", "untie"], false).unwrap_err();
        assert!(error.is::<Unusable>());
        assert!(error.to_string().starts_with("no suite named untie; there are: unit, docs"), "{error}");
    }

    #[test]
    fn names_are_unique() {
        for suite in SUITES {
            assert_eq!(names(&[suite.name], false).unwrap(), [suite.name]);
        }
    }
}
