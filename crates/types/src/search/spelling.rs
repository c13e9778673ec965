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

/// Letters that a short word may have in the place of others.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// All words that are one mistake away from a word that is too short for [`variants`], or, if it has one letter more than such a
/// word, those that are. Empty for longer ones, for a single letter and for numbers.
pub fn neighbours(word: &str) -> BTreeSet<String> {
    let characters: Vec<char> = word.chars().collect();
    let (length, mut near) = (characters.len(), BTreeSet::new());
    if !(2..=SHORTEST).contains(&length) || is_number(word) {
        return near;
    }
    let mut add = |change: &dyn Fn(&mut Vec<char>)| {
        let mut other = characters.clone();
        change(&mut other);
        near.insert(other.into_iter().collect::<String>());
    };
    for at in 0..length {
        add(&|other| {
            other.remove(at);
        });
    }
    if length < SHORTEST {
        for at in 1..length {
            add(&|other| other.swap(at - 1, at));
        }
        for letter in LETTERS.chars() {
            (0..length).for_each(|at| add(&|other| other[at] = letter));
            (0..=length).for_each(|at| add(&|other| other.insert(at, letter)));
        }
    }
    near.remove(word);
    near
}

/// Whether a word has only digits: a wrong one is another number.
pub fn is_number(word: &str) -> bool {
    word.chars().all(char::is_numeric)
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

    use super::{distance, neighbours, variants};

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

    #[test]
    fn short_words_have_neighbours() {
        for (wrong, right) in [("wab", "web"), ("lts", "tls"), ("tem", "team"), ("ap", "app"), ("webb", "web")] {
            assert!(neighbours(wrong).contains(right), "{wrong} {right}");
        }
        for word in ["wab", "ap"] {
            let near = neighbours(word);
            assert!(near.len() < 300 && near.iter().all(|near| distance(word, near) == 1), "{near:?}");
        }
        assert!(["a", "123", "longer"].into_iter().all(|word| neighbours(word).is_empty()));
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
