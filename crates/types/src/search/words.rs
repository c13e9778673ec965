/// The most characters of a word that count; the rest is cut.
pub const LONGEST_WORD: usize = 40;

/// The words of a text, in lower case and in its order: runs of letters and digits.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        let lower = word.chars().flat_map(char::to_lowercase);
        // Lower case may have marks of its own (`İ`), which are no letters.
        lower.filter(|c| c.is_alphanumeric()).take(LONGEST_WORD).collect()
    })
}

/// A name without what separates its words, so that `hello-world`, `hello/world` and `Hello World` are one.
pub fn squashed(text: &str) -> String {
    words(text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{squashed, words};

    #[test]
    fn words_are_letters_and_digits() {
        let of = |text| words(text).collect::<Vec<_>>();
        assert_eq!(of("Team/My-App_2: fast, SMALL!"), ["team", "my", "app", "2", "fast", "small"]);
        assert_eq!(of("Größe ЖУК 日本"), ["größe", "жук", "日本"]);
        assert_eq!(of("%_\\ \u{202e}\0"), Vec::<String>::new());
        assert_eq!(squashed("Hello-World") + &squashed("v 1.2"), "helloworldv12");
        assert_eq!(of(&"x".repeat(99))[0].len(), 40);
    }

    proptest! {
        #[test]
        fn the_words_of_words_are_themselves(text in any::<String>()) {
            let once: Vec<String> = words(&text).collect();
            prop_assert_eq!(words(&once.join(" ")).collect::<Vec<_>>(), once);
        }
    }
}
