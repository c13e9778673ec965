//! Rule: nothing unfinished is left in the code, and a test that is switched off says why.

use super::source::{SourceFile, Violation};

/// Written in two halves, so that this file does not break its own rule.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("todo", "!(", "unfinished"),
    ("unimplemented", "!(", "unfinished"),
    ("dbg", "!(", "left from debugging"),
    ("#[ign", "ore]", "give the reason: #[ignore = \"…\"]"),
];

/// Markers in Rust code; comments may speak of them.
pub fn check(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is(&["rs"])) {
        for (number, line) in file.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let found = FORBIDDEN.iter().filter(|(head, tail, _)| line.contains(&format!("{head}{tail}")));
            violations.extend(found.map(|(head, tail, why)| file.violation(number, format!("{head}{tail}: {why}"))));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::source::findings;
    use super::{FORBIDDEN, check};

    #[test]
    fn markers_are_found_in_code_only() {
        for (head, tail, _) in FORBIDDEN {
            assert_eq!(findings(check, "web/src/lib.rs", &format!("fn f() {{\n    {head}{tail})\n}}\n")), [2]);
            assert!(
                findings(check, "web/src/lib.rs", &format!("    // The library calls {head}{tail} here.\n")).is_empty()
            );
            assert!(findings(check, "docs/adr/0005.md", &format!("{head}{tail}\n")).is_empty());
        }
    }

    #[test]
    fn a_reason_makes_ignore_legal() {
        assert!(findings(check, "web/src/lib.rs", "#[ignore = \"needs an hour\"]\n").is_empty());
    }
}
