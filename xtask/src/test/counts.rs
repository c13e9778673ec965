//! How many tests ran, read off the runner's closing lines.

use std::fmt;
use std::ops::AddAssign;

/// Tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Succeeded.
    pub passed: usize,
    /// Failed, or ran out of time.
    pub failed: usize,
    /// Switched off by `#[ignore]`.
    pub ignored: usize,
}

/// Reads the counts off a line of output.
pub type CountLine = fn(&str) -> Counts;

impl Counts {
    /// The counts in one of libtest's lines, `test result: ok. 12 passed; 0 failed; …`; none in any other.
    pub fn of_libtest(line: &str) -> Counts {
        let Some((_, parts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return Counts::default();
        };
        let count = |what| count(parts, "; ", what);
        Counts { passed: count("passed"), failed: count("failed"), ignored: count("ignored") }
    }

    /// The counts in nextest's closing line, `Summary [ 0.5s] 31 tests run: 30 passed (1 slow), 1 failed, …`; none in any
    /// other. What it skips is mostly what a filter left out, so that it tells nothing of `#[ignore]`.
    pub fn of_nextest(line: &str) -> Counts {
        let summary = line.trim_start().strip_prefix("Summary [");
        let Some((_, parts)) = summary.and_then(|rest| rest.split_once(" run: ")) else { return Counts::default() };
        let count = |what| count(parts, ", ", what);
        Counts { passed: count("passed"), failed: count("failed") + count("timed out"), ignored: 0 }
    }
}

/// The number before a word, in parts such as `12 passed` or `12 passed (1 slow)`.
fn count(parts: &str, separator: &str, what: &str) -> usize {
    let numbered = parts.split(separator).filter_map(|part| part.trim().split_once(' '));
    let mut found = numbered.filter(|(_, word)| word.starts_with(what)).map(|(number, _)| number.parse().unwrap_or(0));
    found.next().unwrap_or(0)
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, ignored: usize) -> Counts {
        Counts { passed, failed, ignored }
    }

    #[test]
    fn libtest() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s";
        assert_eq!(Counts::of_libtest(line), counts(12, 0, 1));
        let line = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!(Counts::of_libtest(line), counts(2, 1, 0));
        // nextest shows this of a failed test, and counts it itself.
        assert_eq!(Counts::of_nextest(&format!("    {line}")), Counts::default());
    }

    #[test]
    fn nextest() {
        let line = "     Summary [   0.512s] 31 tests run: 31 passed, 5 skipped";
        assert_eq!(Counts::of_nextest(line), counts(31, 0, 0));
        assert_eq!(Counts::of_libtest(line), Counts::default());
        let line = "     Summary [  61.012s] 4 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 0 skipped";
        assert_eq!(Counts::of_nextest(line), counts(2, 2, 0));
        let line = "     Summary [   0.100s] 1 test run: 1 passed, 35 skipped";
        assert_eq!(Counts::of_nextest(line), counts(1, 0, 0));
        let line = "     Summary [   0.1s] 1/3 tests run: 0 passed, 1 failed, 0 skipped";
        assert_eq!(Counts::of_nextest(line), counts(0, 1, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["test names::handle ... ok", "        PASS [   0.005s] xtask counts::tests::nextest", ""] {
            assert_eq!(Counts::of_libtest(line), Counts::default());
            assert_eq!(Counts::of_nextest(line), Counts::default());
        }
    }
}
