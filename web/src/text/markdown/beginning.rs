//! The beginning of a long README, cut where it does no harm.

/// Definitions of links that are taken along, in bytes.
const MOST_DEFINITIONS: usize = 8_000;

/// About so many bytes of a text, up to a blank line that is in no code block, with the definitions that links in it may need.
pub fn beginning(markdown: &str, most: usize) -> String {
    let (mut at, mut cut, mut fence) = (0, 0, None);
    for line in markdown.split_inclusive('\n') {
        if at + line.len() > most {
            break;
        }
        at += line.len();
        let text = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| text.starts_with(marker));
        fence = match (fence, marker) {
            (None, Some(marker)) => Some(marker),
            (Some(open), Some(marker)) if open == marker => None,
            (open, _) => open,
        };
        if text.is_empty() && fence.is_none() {
            cut = at;
        }
    }
    // A single block is cut where it may be.
    if cut < most / 2 {
        cut = markdown.floor_char_boundary(most);
    }
    let (beginning, rest) = markdown.split_at(cut);
    let mut text = beginning.to_owned();
    text.push_str("\n\n");
    let mut left = MOST_DEFINITIONS;
    for line in rest.lines().filter(|line| is_definition(line)) {
        if line.len() > left {
            break;
        }
        left -= line.len();
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// `[name]: address`, and no footnote.
fn is_definition(line: &str) -> bool {
    line.starts_with('[') && !line.starts_with("[^") && line.split_once("]: ").is_some_and(|(name, _)| name.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn a_text_is_cut_between_blocks() {
        let text =
            "# One\n\nSee [here].\n\nTwo two two two two two\n\nThree\n\n[here]: https://a.example/\n[^1]: a note\n";
        assert_eq!(beginning(text, 30), "# One\n\nSee [here].\n\n\n\n[here]: https://a.example/\n");
    }

    #[test]
    fn code_is_not_cut() {
        let text = "Long enough a beginning.\n\n```sh\none\n\ntwo\n\nthree\n```\n\nEnd\n";
        assert_eq!(beginning(text, 45), "Long enough a beginning.\n\n\n\n");
        assert!(beginning(text, 58).ends_with("```\n\n\n\n"), "{}", beginning(text, 58));
    }

    #[test]
    fn what_is_one_block_is_cut_all_the_same() {
        let text = "ü".repeat(1_000);
        let cut = beginning(&text, 101);
        assert_eq!(cut.trim(), "ü".repeat(50));
        assert!(beginning("", 0).trim().is_empty());
    }
}
