//! The one ornament: every owner flies a signal flag, chosen by a hash of the DID, so that the same owner always flies
//! the same.

use leptos::prelude::*;
use sha2::{Digest as _, Sha256};

/// The colours of the signal flags.
const BLUE: &str = "#1d4e89";
const RED: &str = "#c0392b";
const YELLOW: &str = "#f2c14e";
const WHITE: &str = "#fdfcf8";
const BLACK: &str = "#20242c";

/// Pairs that can be told apart at 24 pixels, by the colour-blind too: one dark, one light.
const PAIRS: [(&str, &str); 8] = [
    (BLUE, WHITE),
    (RED, WHITE),
    (BLUE, YELLOW),
    (RED, YELLOW),
    (BLACK, YELLOW),
    (BLACK, WHITE),
    (YELLOW, BLUE),
    (WHITE, RED),
];

/// Patterns on a field of 24 by 24, as paths in the second colour.
const PATTERNS: [&str; 16] = [
    "M12 0h12v24H12z",
    "M0 12h24v12H0z",
    "M0 8h24v8H0z",
    "M8 0h8v24H8z",
    "M0 0h24v24z",
    "M9 0h6v9h9v6h-9v9H9v-9H0V9h9z",
    "M0 0h5l7 7 7-7h5v5l-7 7 7 7v5h-5l-7-7-7 7H0v-5l7-7-7-7z",
    "M12 0h12v12H12zM0 12h12v12H0z",
    "M7 7h10v10H7z",
    "M5 5h14v14H5z",
    "M12 2l10 10-10 10L2 12z",
    "M0 0l24 12L0 24z",
    "M0 5h24v5H0zM0 14h24v5H0z",
    "M0 0h24v6H0zM0 18h24v6H0z",
    "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14z",
    "M0 0h8v8H0zM16 0h8v8h-8zM8 8h8v8H8zM0 16h8v8H0zM16 16h8v8h-8z",
];

/// What lies on the pattern, in the third colour, or nothing.
const MARKS: [&str; 12] = [
    "",
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    "M0 0h5v24H0z",
    "M19 0h5v24h-5z",
    "M0 0h24v5H0z",
    "M0 19h24v5H0z",
    "M0 0h10v10H0z",
    "M14 14h10v10H14z",
    "M0 0l10 12L0 24z",
    "M0 0h24v24H0zM3 3v18h18V3z",
    "M12 6l6 6-6 6-6-6z",
    "M0 0h5l19 19v5h-5L0 5z",
];

/// The flag of a DID.
pub fn flag(did: &str) -> impl IntoView + use<> {
    let hash = Sha256::digest(did);
    let (field, figure) = PAIRS[usize::from(hash[0]) % PAIRS.len()];
    let pattern = PATTERNS[usize::from(hash[1]) % PATTERNS.len()];
    let mark = MARKS[usize::from(hash[2]) % MARKS.len()];
    let others = [RED, BLUE, YELLOW, WHITE, BLACK].into_iter().filter(|colour| *colour != field && *colour != figure);
    let third = others.cycle().nth(usize::from(hash[3]) % 3);
    view! {
        <svg class="flag" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
            <path fill=field d="M0 0h24v24H0z"></path>
            <path fill=figure d=pattern></path>
            {(!mark.is_empty()).then(|| view! { <path fill=third d=mark></path> })}
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml as _;

    use super::flag;

    #[test]
    fn the_same_owner_flies_the_same_flag() {
        let draw = |did: &str| flag(did).to_html();
        assert_eq!(draw("did:plc:alice"), draw("did:plc:alice"));
        let fleet: std::collections::BTreeSet<String> = (0..100).map(|n| draw(&format!("did:plc:{n}"))).collect();
        assert!(fleet.len() > 93, "only {} flags for 100 owners", fleet.len());
    }
}
