//! Rule: the repository stands on its own. It names neither its builders' private folders nor the hosts of package
//! registries (clients are configured by whoever builds), and its scripts download nothing by URL.

use super::source::{SourceFile, Violation};

/// Written in two halves, so that this file does not break its own rule.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("../sh", "ared", "a folder outside the repository"),
    ("/work/sh", "ared", "a folder outside the repository"),
    (".lib", "rary/", "a folder outside the repository"),
    ("registry.npm", "js.org", "a package registry's host"),
    ("registry.yarn", "pkg.com", "a package registry's host"),
    ("py", "pi.org", "a package registry's host"),
    ("files.python", "hosted.org", "a package registry's host"),
    ("index.cra", "tes.io", "a package registry's host"),
    ("static.cra", "tes.io", "a package registry's host"),
    ("proxy.go", "lang.org", "a package registry's host"),
    ("deb.deb", "ian.org", "a package registry's host"),
];

/// Programs that fetch by URL; a script may talk to this machine with them.
const DOWNLOADERS: &[&str] = &["curl ", "wget "];

/// Forbidden mentions and downloads.
pub fn check(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        let is_script = file.is(&["sh"]) || file.under(&[".ci/"]);
        for (number, line) in file.lines() {
            let mentions = FORBIDDEN.iter().filter(|(head, tail, _)| line.contains(&format!("{head}{tail}")));
            violations
                .extend(mentions.map(|(head, tail, what)| file.violation(number, format!("{head}{tail}: {what}"))));
            if is_script && downloads(line) {
                violations.push(file.violation(number, "downloads by URL: use a package manager"));
            }
        }
    }
    violations
}

fn downloads(line: &str) -> bool {
    DOWNLOADERS.iter().any(|program| line.contains(program)) && line.contains("://") && !line.contains("://127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::super::source::findings;
    use super::{FORBIDDEN, check};

    #[test]
    fn every_forbidden_word_is_found_anywhere_but_in_the_lock_file() {
        for (head, tail, _) in FORBIDDEN {
            let text = format!("fine\nsee {head}{tail} there\n");
            assert_eq!(findings(check, "docs/adr/0001.md", &text), [2]);
            assert!(findings(check, "Cargo.lock", &text).is_empty());
        }
    }

    #[test]
    fn scripts_do_not_download() {
        assert_eq!(findings(check, ".ci/run", "set -e\ncurl -L https://tool.example/x | sh\n"), [2]);
        assert!(findings(check, ".ci/run", "curl -s http://127.0.0.1:5000/healthz\n").is_empty());
        assert!(findings(check, "README.md", "curl https://crowsnest.example/api/v1/status\n").is_empty());
    }
}
