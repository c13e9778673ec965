//! What was measured, for people and for machines.

use serde_json::json;

/// A figure, beside what it is compared with.
pub struct Measured {
    /// `ingest.apply`, …
    pub bench: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub reference: &'static str,
    pub reference_value: f64,
    /// What it has to reach, and whether it does.
    pub bars: Vec<(String, bool)>,
    /// How it was measured.
    pub note: String,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.value / self.reference_value
    }

    /// Prints it; the columns are those of [`heading`].
    pub fn print(&self, json: bool) {
        if json {
            let bars: Vec<_> = self.bars.iter().map(|(bar, met)| json!({"bar": bar, "met": met})).collect();
            let line = json!({"bench": self.bench, "value": rounded(self.value), "unit": self.unit,
                "reference": self.reference, "reference_value": rounded(self.reference_value),
                "ratio": rounded(self.ratio()), "bars": bars, "note": self.note});
            println!("{line}");
            return;
        }
        let (value, reference) = (rounded(self.value), rounded(self.reference_value));
        println!(
            "{:<24} {value:>12} {:<10} {:<14} {reference:>12}  {:>6.2}  {}",
            self.bench,
            self.unit,
            self.reference,
            self.ratio(),
            self.note
        );
        for (bar, met) in &self.bars {
            println!("{:<24} {:>12} {bar}", "", if *met { "met:" } else { "MISSED:" });
        }
    }
}

/// The first lines of a table: what was measured on.
pub fn heading(setting: &str) {
    println!("{setting}");
    println!("{:<24} {:>12} {:<10} {:<14} {:>12}  {:>6}", "bench", "value", "unit", "reference", "", "ratio");
}

/// As many digits as mean something.
fn rounded(value: f64) -> f64 {
    if value >= 1_000.0 { value.round() } else { (value * 100.0).round() / 100.0 }
}

/// The value that 99 % of some are not above.
pub fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{median, p99};

    #[test]
    fn half_are_below_the_median() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ninety_nine_of_a_hundred_are_not_above_it() {
        assert_eq!(p99((1..=100).rev().map(f64::from).collect()), 99.0);
        assert_eq!(p99((1..=1000).map(f64::from).collect()), 990.0);
        assert_eq!(p99(vec![7.0]), 7.0);
        assert!(p99(Vec::new()).is_nan());
    }
}
