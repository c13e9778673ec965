//! Rule: SQL lives in `crates/store`, in `migrations`, and in the part of `crates/service` that runs Postgres. Tests may
//! look at rows: they ask whether the program left what it should, and not by the program's own queries. So may benches, whose
//! references are Postgres without the program.

use super::source::{SourceFile, Violation};

const ALLOWED: &[&str] = &["crates/store/", "crates/service/src/postgres", "migrations/", "bench/"];

/// How a string literal that is a statement begins.
const STATEMENTS: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "MERGE INTO ",
    "TRUNCATE ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "CREATE SCHEMA ",
    "CREATE DATABASE ",
    "CREATE TEMP",
    "DROP TABLE ",
    "DROP SCHEMA ",
    "DROP DATABASE ",
    "ALTER TABLE ",
    "ALTER SCHEMA ",
    "LISTEN ",
    "NOTIFY ",
];

/// SQL in the wrong place: a string literal that begins like a statement, or a `.sql` file.
pub fn check(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| !file.under(ALLOWED) && !is_test(file)) {
        if file.is(&["sql"]) {
            violations.push(file.violation(1, "SQL outside crates/store and migrations"));
        }
        if file.is(&["rs"]) {
            let lines = statements(&file.text);
            violations
                .extend(lines.map(|line| file.violation(line, "SQL outside crates/store: make it a query there")));
        }
    }
    violations
}

/// Whether the file holds tests only, by where it lies.
fn is_test(file: &SourceFile) -> bool {
    file.under(&["tests/"]) || file.path.contains("/tests/") || file.path.ends_with("/tests.rs")
}

/// The lines on which a quote is followed, after blanks and line continuations, by a statement.
fn statements(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices('"').filter_map(|(at, quote)| {
        let literal = text[at + quote.len()..].trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
        let begins = STATEMENTS.iter().any(|statement| literal.starts_with(statement));
        // This rule's own words end right behind the keyword.
        let is_more = literal.find('"').is_some_and(|end| !STATEMENTS.contains(&&literal[..end]));
        (begins && is_more).then(|| text[..at].lines().count().max(1))
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::findings;
    use super::check;

    /// A statement that this very file may contain.
    fn literal(keyword: &str) -> String {
        format!("fn f() {{\n    query(\"{keyword} x FROM y\");\n}}\n")
    }

    #[test]
    fn statements_belong_to_the_store() {
        assert_eq!(findings(check, "web/src/pages.rs", &literal("SELECT")), [2]);
        assert_eq!(findings(check, "web/src/pages.rs", &literal("\n        SELECT")), [2]);
        assert_eq!(findings(check, "indexer/src/lib.rs", &literal("DELETE FROM")), [2]);
        for allowed in
            ["crates/store/src/queries/tag.rs", "migrations/src/lib.rs", "crates/service/src/postgres/testing.rs"]
        {
            assert!(findings(check, allowed, &literal("SELECT")).is_empty(), "{allowed}");
        }
        assert_eq!(findings(check, "crates/service/src/config.rs", &literal("SELECT")), [2]);
    }

    #[test]
    fn tests_may_look_at_rows() {
        for path in ["indexer/src/tests/jobs.rs", "indexer/src/jobs/tests.rs", "web/tests/web/pages.rs"] {
            assert!(findings(check, path, &literal("SELECT")).is_empty(), "{path}");
        }
        assert_eq!(findings(check, "web/src/attests.rs", &literal("SELECT")), [2]);
    }

    #[test]
    fn prose_is_not_sql() {
        assert!(findings(check, "web/src/pages.rs", &literal("Select")).is_empty());
        assert!(findings(check, "web/src/pages.rs", "/// SELECT is what the store does.\n").is_empty());
    }

    #[test]
    fn sql_files() {
        assert_eq!(findings(check, "web/src/search.sql", ""), [1]);
        assert!(findings(check, "crates/store/src/apply/derive.sql", "").is_empty());
    }
}
