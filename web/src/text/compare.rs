//! What differs between two images.

use std::collections::BTreeMap;

use store::queries::LayerView;

/// Where a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum In {
    /// In both.
    Both,
    /// Only in the one compared from.
    From,
    /// Only in the one compared to.
    To,
}

/// The most layers that are brought into one order by what they share; of more, those of one follow those of the other.
const MOST: usize = 500;

/// The layers of two images in one order, each with where it is, and its position there.
pub fn layers<'a>(from: &'a [LayerView], to: &'a [LayerView]) -> Vec<(In, usize, &'a LayerView)> {
    let (n, m) = (from.len(), to.len());
    if n > MOST || m > MOST {
        return apart(from, to);
    }
    // longest[i][j]: the most layers that from[i..] and to[j..] share in order.
    let mut longest = vec![vec![0_u16; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            longest[i][j] = if from[i].digest == to[j].digest {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::with_capacity(n + m));
    while i < n || j < m {
        if i < n && j < m && from[i].digest == to[j].digest {
            all.push((In::Both, j, &to[j]));
            (i, j) = (i + 1, j + 1);
        } else if j == m || (i < n && longest[i + 1][j] >= longest[i][j + 1]) {
            all.push((In::From, i, &from[i]));
            i += 1;
        } else {
            all.push((In::To, j, &to[j]));
            j += 1;
        }
    }
    all
}

fn apart<'a>(from: &'a [LayerView], to: &'a [LayerView]) -> Vec<(In, usize, &'a LayerView)> {
    let has = |layers: &[LayerView]| {
        layers.iter().map(|layer| layer.digest.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let (in_from, in_to) = (has(from), has(to));
    let gone = from.iter().enumerate().filter(|(_, layer)| !in_to.contains(&layer.digest));
    let gone = gone.map(|(at, layer)| (In::From, at, layer));
    let here = to
        .iter()
        .enumerate()
        .map(|(at, layer)| (if in_from.contains(&layer.digest) { In::Both } else { In::To }, at, layer));
    gone.chain(here).collect()
}

/// Bytes that who has the one must still download for the other. What is there already is not downloaded again, wherever
/// it lies.
pub fn to_download(from: &[LayerView], to: &[LayerView]) -> i64 {
    let have: std::collections::BTreeSet<&str> = from.iter().map(|layer| layer.digest.as_str()).collect();
    let new: BTreeMap<&str, i64> = to
        .iter()
        .filter(|layer| !have.contains(layer.digest.as_str()))
        .map(|layer| (layer.digest.as_str(), layer.size.max(0)))
        .collect();
    new.values().fold(0, |sum, size| sum.saturating_add(*size))
}

/// A value that is not the same in both.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is called.
    pub name: String,
    /// Its value in the one compared from, if it is there.
    pub from: Option<String>,
    /// Its value in the one compared to, if it is there.
    pub to: Option<String>,
}

/// The values that differ, by name. Of a name that comes twice the last counts.
pub fn values(
    from: impl IntoIterator<Item = (String, String)>,
    to: impl IntoIterator<Item = (String, String)>,
) -> Vec<Difference> {
    let from: BTreeMap<String, String> = from.into_iter().collect();
    let mut to: BTreeMap<String, String> = to.into_iter().collect();
    let mut all = Vec::new();
    for (name, before) in from {
        let after = to.remove(&name);
        if after.as_ref() != Some(&before) {
            all.push(Difference { name, from: Some(before), to: after });
        }
    }
    all.extend(to.into_iter().map(|(name, after)| Difference { name, from: None, to: Some(after) }));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use store::queries::LayerView;

    use super::{Difference, In, apart, layers, to_download, values};

    fn stack(digests: &str) -> Vec<LayerView> {
        let layer = |c: char| LayerView {
            digest: c.to_string(),
            media_type: String::new(),
            size: i64::from(u32::from(c) - u32::from('a') + 1),
            title: None,
            predicate: None,
        };
        digests.chars().map(layer).collect()
    }

    fn told(all: Vec<(In, usize, &LayerView)>) -> String {
        let sign = |within| match within {
            In::Both => "=",
            In::From => "-",
            In::To => "+",
        };
        all.into_iter().map(|(within, _, layer)| format!("{}{}", sign(within), layer.digest)).collect()
    }

    #[test]
    fn layers_keep_their_order() {
        for (from, to, expected) in [
            ("abc", "abc", "=a=b=c"),
            ("abc", "abd", "=a=b-c+d"),
            ("abc", "xabc", "+x=a=b=c"),
            ("", "ab", "+a+b"),
            ("ab", "", "-a-b"),
            ("ab", "ba", "-a=b+a"),
            ("aab", "ab", "=a-a=b"),
        ] {
            assert_eq!(told(layers(&stack(from), &stack(to))), expected, "{from} {to}");
        }
        assert_eq!(told(apart(&stack("abc"), &stack("abd"))), "-c=a=b+d");
        assert_eq!(layers(&stack(&"a".repeat(10_000)), &stack(&"a".repeat(10_000))).len(), 10_000);
    }

    #[test]
    fn what_is_there_is_not_downloaded_again() {
        assert_eq!(to_download(&stack("ab"), &stack("abcd")), 3 + 4);
        assert_eq!(to_download(&stack("ab"), &stack("baa")), 0);
        assert_eq!(to_download(&[], &stack("aa")), 1);
    }

    #[test]
    fn only_what_differs_is_told() {
        let of =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        let all = values(of(&[("a", "1"), ("b", "2"), ("c", "3")]), of(&[("d", "4"), ("c", "5"), ("a", "1")]));
        let difference = |name: &str, from: Option<&str>, to: Option<&str>| Difference {
            name: name.into(),
            from: from.map(Into::into),
            to: to.map(Into::into),
        };
        assert_eq!(
            all,
            [difference("b", Some("2"), None), difference("c", Some("3"), Some("5")), difference("d", None, Some("4"))]
        );
    }
}
