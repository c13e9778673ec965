//! Rule: a file that someone has to read is at most 400 lines long.

use super::source::{SourceFile, Violation};

const MOST_LINES: usize = 400;
const COUNTED: &[&str] = &["rs", "css", "js", "mjs"];

/// Files that are too long.
pub fn check(files: &[SourceFile]) -> Vec<Violation> {
    let counted = files.iter().filter(|file| file.is(COUNTED)).map(|file| (file, file.text.lines().count()));
    let too_long = counted.filter(|(_, lines)| *lines > MOST_LINES);
    too_long
        .map(|(file, lines)| file.violation(lines, format!("{lines} lines, {MOST_LINES} at most: split it")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::findings;
    use super::check;

    #[test]
    fn the_limit_itself_is_allowed() {
        assert!(findings(check, "web/src/lib.rs", &"x\n".repeat(400)).is_empty());
        assert_eq!(findings(check, "web/src/lib.rs", &"x\n".repeat(401)), [401]);
        assert_eq!(findings(check, "style/page.css", &"x\n".repeat(500)), [500]);
    }

    #[test]
    fn what_nobody_reads_may_be_long() {
        assert!(findings(check, "Cargo.lock", &"x\n".repeat(9000)).is_empty());
    }
}
