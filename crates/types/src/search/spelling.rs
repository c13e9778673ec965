use std::collections::BTreeSet;

/// The shortest word whose misspellings are looked for: of a shorter one nearly everything is one.
const SHORTEST: usize = 4;
/// The longest.
const LONGEST: usize = 24;

/// The word, and it without each of its characters. Words that are one mistake apart (a letter more, less, another one, or
/// two that changed places) have one of these in common. Empty for words too short or too long to be corrected.
pub fn variants(word: &str) -> BTreeSet<String> {
    let characters: Vec<char> = word.chars().collect();
    if !(SHORTEST..=LONGEST).contains(&characters.len()) {
        return BTreeSet::new();
    }
    let without = |skipped: usize| -> String {
        characters.iter().enumerate().filter(|(at, _)| *at != skipped).map(|(_, c)| *c).collect()
    };
    (0..=characters.len()).map(without).collect()
}

/// How many mistakes lie between two words: letters inserted, left out, replaced, or two neighbours that changed places
/// (the restricted Damerau–Levenshtein distance).
pub fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{distance, variants};

    #[test]
    fn mistakes_are_counted() {
        for (one, other, mistakes) in [
            ("nginx", "nginx", 0),
            ("ngnix", "nginx", 1),
            ("ngin", "nginx", 1),
            ("nginxx", "nginx", 1),
            ("nginz", "nginx", 1),
            ("postgers", "postgres", 1),
            ("abc", "", 3),
            ("redis", "rust", 4),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (mistakes, mistakes), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn one_mistake_leaves_a_variant_in_common(word in "[a-zä]{5,12}", at in any::<prop::sample::Index>(),
                                                  letter in "[a-z]", kind in 0..4) {
            let mut wrong: Vec<char> = word.chars().collect();
            let place = at.index(wrong.len() - 1);
            match kind {
                0 => { wrong.remove(place); }
                1 => wrong.insert(place, letter.chars().next().unwrap()),
                2 => wrong[place] = letter.chars().next().unwrap(),
                _ => wrong.swap(place, place + 1),
            }
            let wrong: String = wrong.into_iter().collect();
            prop_assert!(distance(&word, &wrong) <= 1);
            prop_assert!(!variants(&word).is_disjoint(&variants(&wrong)), "{word} {wrong}");
        }
    }
}
