//! Rules about crates: dependencies point one way, every crate has the workspace's lints and at most one test binary.

use std::fs;

use anyhow::Result;
use serde_json::Value;

use super::source::Violation;
use crate::cargo::{self, cargo};
use crate::process;

/// Which of our crates each of ours may build on. Services never know each other.
const ALLOWED: &[(&str, &[&str])] = &[
    ("crowsnest-types", &[]),
    ("crowsnest-migrations", &[]),
    ("crowsnest-store", &["crowsnest-types", "crowsnest-migrations"]),
    ("crowsnest-outbound", &["crowsnest-types"]),
    ("crowsnest-service", &[]),
    ("crowsnest-indexer", &["crowsnest-types", "crowsnest-store", "crowsnest-outbound", "crowsnest-service"]),
    ("crowsnest-registry-api", &["crowsnest-types", "crowsnest-store", "crowsnest-outbound", "crowsnest-service"]),
    ("crowsnest-web", &["crowsnest-types", "crowsnest-store", "crowsnest-outbound", "crowsnest-service"]),
    ("crowsnest-devnet", &["crowsnest-types"]),
    (
        "crowsnest",
        &[
            "crowsnest-types",
            "crowsnest-migrations",
            "crowsnest-store",
            "crowsnest-outbound",
            "crowsnest-service",
            "crowsnest-indexer",
            "crowsnest-registry-api",
            "crowsnest-web",
            "crowsnest-devnet",
        ],
    ),
    ("xtask", &[]),
    ("crowsnest-tests", &["crowsnest-store"]),
    (
        "crowsnest-bench",
        &["crowsnest-types", "crowsnest-store", "crowsnest-outbound", "crowsnest-service", "crowsnest-indexer"],
    ),
];

/// What the tests of any crate may use besides: a throwaway Postgres with our tables, a network on loopback.
const FOR_TESTS: &[&str] =
    &["crowsnest-types", "crowsnest-migrations", "crowsnest-service", "crowsnest-devnet", "crowsnest-outbound"];

/// A crate of the workspace, as far as the rules care.
pub struct Crate {
    name: String,
    manifest: String,
    has_workspace_lints: bool,
    test_binaries: usize,
    /// Those of ours that it depends on, and whether for its tests only.
    dependencies: Vec<(String, bool)>,
}

/// The workspace's crates, from `cargo metadata`.
///
/// # Errors
/// cargo fails or a manifest cannot be read.
pub fn read() -> Result<Vec<Crate>> {
    let metadata = process::output(cargo()?.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    list(&metadata["packages"]).iter().map(crate_of).collect()
}

fn crate_of(package: &Value) -> Result<Crate> {
    let path = text(&package["manifest_path"]);
    let manifest = fs::read_to_string(&path)?;
    let ours = list(&package["dependencies"]).iter().filter(|dependency| dependency["path"].is_string());
    let is_test = |target: &&Value| target["kind"][0] == "test";
    let root = format!("{}/", cargo::root()?.display());
    Ok(Crate {
        name: text(&package["name"]),
        manifest: path.strip_prefix(&root).unwrap_or(&path).to_owned(),
        has_workspace_lints: manifest.contains("[lints]\nworkspace = true\n"),
        test_binaries: list(&package["targets"]).iter().filter(is_test).count(),
        dependencies: ours.map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev")).collect(),
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Crates that break a rule.
pub fn check(crates: &[Crate]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for one in crates {
        let mut broken = |message: String| {
            violations.push(Violation { path: one.manifest.clone(), line: 1, message });
        };
        if !one.has_workspace_lints {
            broken("add [lints] workspace = true".to_owned());
        }
        if one.test_binaries > 1 {
            broken(format!("{} test binaries: make them modules of one, linking is slow", one.test_binaries));
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == one.name) else {
            broken("a new crate: say in xtask/src/check/crates.rs what it may depend on".to_owned());
            continue;
        };
        for (dependency, for_tests) in &one.dependencies {
            let may = allowed.contains(&dependency.as_str()) || *for_tests && FOR_TESTS.contains(&dependency.as_str());
            if !may {
                broken(format!("{} must not depend on {dependency}", one.name));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_named(name: &str, dependencies: &[(&str, bool)]) -> Crate {
        Crate {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            has_workspace_lints: true,
            test_binaries: 1,
            dependencies: dependencies.iter().map(|(name, dev)| ((*name).to_owned(), *dev)).collect(),
        }
    }

    fn messages(one: Crate) -> Vec<String> {
        check(&[one]).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn dependencies_point_one_way() {
        assert!(messages(crate_named("crowsnest-web", &[("crowsnest-store", false)])).is_empty());
        let upwards = messages(crate_named("crowsnest-types", &[("crowsnest-store", false)]));
        assert_eq!(upwards, ["crowsnest-types must not depend on crowsnest-store"]);
    }

    #[test]
    fn services_never_know_each_other_not_even_in_tests() {
        for for_tests in [false, true] {
            assert_eq!(messages(crate_named("crowsnest-web", &[("crowsnest-indexer", for_tests)])).len(), 1);
        }
    }

    #[test]
    fn tests_may_use_a_devnet() {
        assert!(messages(crate_named("crowsnest-indexer", &[("crowsnest-devnet", true)])).is_empty());
        assert_eq!(messages(crate_named("crowsnest-indexer", &[("crowsnest-devnet", false)])).len(), 1);
    }

    #[test]
    fn lints_and_test_binaries() {
        assert_eq!(messages(Crate { has_workspace_lints: false, ..crate_named("xtask", &[]) }).len(), 1);
        assert_eq!(messages(Crate { test_binaries: 2, ..crate_named("xtask", &[]) }).len(), 1);
        assert_eq!(messages(crate_named("crowsnest-hold", &[])).len(), 1);
    }

    #[test]
    fn this_workspace_is_read() {
        let crates = read().unwrap();
        let xtask = crates.iter().find(|one| one.name == "xtask").unwrap();
        assert!(xtask.has_workspace_lints && xtask.manifest == "xtask/Cargo.toml");
        assert!(crates.iter().any(|one| one.dependencies.iter().any(|(name, _)| name == "crowsnest-types")));
    }
}
