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

impl Counts {
    /// The counts in a line of output: libtest's `test result: …` or nextest's `Summary [ … ] …`; else none.
    pub fn of_line(line: &str) -> Counts {
        let line = line.trim_start();
        let libtest = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "));
        let nextest = line
            .strip_prefix("Summary [")
            .and_then(|rest| rest.split_once("tests run: ").or(rest.split_once("test run: ")));
        let Some((head, rest)) = libtest.or(nextest) else { return Counts::default() };
        let number = |word: &str| {
            let part = rest.split([';', ',']).map(str::trim).find_map(|part| part.strip_suffix(word));
            part.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        // What nextest skips was left out by a filter; it says nothing of `#[ignore]`.
        let ignored = if head.contains(']') { 0 } else { number("ignored") };
        Counts {
            passed: nextest_passed(rest).unwrap_or_else(|| number("passed")),
            failed: number("failed") + number("timed out"),
            ignored,
        }
    }
}

/// nextest may say `12 passed (1 slow)`.
fn nextest_passed(rest: &str) -> Option<usize> {
    let part = rest.split(',').map(str::trim).find(|part| part.contains(" passed ("))?;
    part.split(' ').next()?.parse().ok()
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
        assert_eq!(Counts::of_line(line), counts(12, 0, 1));
        let line = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!(Counts::of_line(line), counts(2, 1, 0));
    }

    #[test]
    fn nextest() {
        assert_eq!(Counts::of_line("     Summary [   0.512s] 31 tests run: 31 passed, 5 skipped"), counts(31, 0, 0));
        let line = "     Summary [  61.012s] 4 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 0 skipped";
        assert_eq!(Counts::of_line(line), counts(2, 2, 0));
        assert_eq!(Counts::of_line("     Summary [   0.100s] 1 test run: 1 passed, 35 skipped"), counts(1, 0, 0));
        assert_eq!(
            Counts::of_line("     Summary [   0.1s] 1/3 tests run: 0 passed, 1 failed, 0 skipped"),
            counts(0, 1, 0)
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["test names::handle ... ok", "        PASS [   0.005s] xtask counts::tests::nextest", ""] {
            assert_eq!(Counts::of_line(line), Counts::default());
        }
    }
}
