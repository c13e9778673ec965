//! Numbers, sizes, ages and digests in the words of the pages.

use chrono::{DateTime, Utc};

/// `1,234` up to 9,999, then `12.3k`, `4.5M`.
pub fn count(n: i64) -> String {
    match n.unsigned_abs() {
        0..=9_999 => grouped(n),
        10_000..=999_949 => scaled(n, 1_000.0, "k"),
        999_950..=999_949_999 => scaled(n, 1_000_000.0, "M"),
        _ => scaled(n, 1_000_000_000.0, "G"),
    }
}

/// Every digit, in groups of three: `1,234,567`.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{}{}", if n < 0 { "−" } else { "" }, groups.join(","))
}

/// Bytes in decimal units: `512 B`, `1.5 kB`, `3.4 MB`.
pub fn size(bytes: i64) -> String {
    match bytes.unsigned_abs() {
        0..=999 => format!("{bytes} B"),
        1_000..=999_949 => scaled(bytes, 1e3, " kB"),
        999_950..=999_949_999 => scaled(bytes, 1e6, " MB"),
        _ => scaled(bytes, 1e9, " GB"),
    }
}

/// The bytes behind a size, for its title.
pub fn bytes(n: i64) -> String {
    format!("{} bytes", grouped(n))
}

/// How long ago, in the largest unit that fits. A time ahead of us, by its writer's clock, is the date.
pub fn age(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    let ago = |n: i64, unit: &str| format!("{n} {unit} ago");
    match seconds {
        ..-300 => time.format("%-d %B %Y").to_string(),
        -300..10 => "just now".to_owned(),
        10..60 => ago(seconds, "s"),
        60..3_600 => ago(seconds / 60, "min"),
        3_600..86_400 => ago(seconds / 3_600, "h"),
        86_400..2_592_000 => ago(seconds / 86_400, "d"),
        2_592_000..31_536_000 => ago(seconds / 2_592_000, "mo"),
        _ => ago(seconds / 31_536_000, "y"),
    }
}

/// How long something lasts: `3 h`, for “has not answered for 3 h”.
pub fn duration(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - since).num_seconds().max(0);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Milliseconds behind: `under a second`, `12 s`, `3 min`.
pub fn lag(ms: i64) -> String {
    match ms {
        ..1_000 => "under a second".to_owned(),
        1_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..86_400_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// The exact time, for titles: `2026-01-10 12:00:00 UTC`.
pub fn exact(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A digest's first twelve hex characters: enough to tell two apart by eye.
pub fn short_digest(digest: &str) -> String {
    digest.split_once(':').map_or(digest, |(_, hex)| hex).chars().take(12).collect()
}

/// A name as it may be shown: characters that turn or hide text become U+FFFD, so that no name passes for another.
pub fn shown(name: &str) -> String {
    name.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect()
}

/// What people call a hold: the host of a `did:web`.
pub fn hold(did: &str) -> String {
    let name = did.strip_prefix("did:web:").map(|host| host.replace("%3A", ":"));
    shown(&name.unwrap_or_else(|| did.to_owned()))
}

/// A text of several lines as it may be shown: the same, but line feeds stay and tabs become spaces; at most `most` characters.
pub fn shown_lines(text: &str, most: usize) -> String {
    let kept = text.chars().take(most).map(|c| match c {
        '\n' => '\n',
        '\t' => ' ',
        c if is_deceptive(c) => '\u{fffd}',
        c => c,
    });
    let mut shown: String = kept.collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// By how many bytes something grew or shrank: `+1.5 kB`, `−3.4 MB`, `±0`.
pub fn grown(bytes: i64) -> String {
    match bytes {
        0 => "±0".to_owned(),
        1.. => format!("+{}", size(bytes)),
        _ => format!("−{}", size(bytes.saturating_abs())),
    }
}

/// Controls, direction marks and overrides, zero-width characters.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                     | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(n: i64, unit: f64, name: &str) -> String {
    format!("{:.1}{name}", n as f64 / unit)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{age, count, duration, grouped, lag, short_digest, shown, size};

    #[test]
    fn counts() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_234, "1,234"),
            (9_999, "9,999"),
            (12_345, "12.3k"),
            (999_949, "999.9k"),
            (999_999, "1.0M"),
            (4_500_000, "4.5M"),
        ] {
            assert_eq!(count(n), text);
        }
        assert_eq!((grouped(1_234_567), grouped(-1_000)), ("1,234,567".to_owned(), "−1,000".to_owned()));
    }

    #[test]
    fn sizes_are_decimal() {
        for (n, text) in
            [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (3_370_706, "3.4 MB"), (2_500_000_000, "2.5 GB")]
        {
            assert_eq!(size(n), text);
        }
    }

    #[test]
    fn long_texts_are_cut_and_keep_their_lines() {
        assert_eq!(super::shown_lines("a\tb\nc\u{202e}d", 9), "a b\nc\u{fffd}d");
        assert_eq!(super::shown_lines("abc", 2), "ab…");
        assert_eq!([1_500, 0, -3_400_000].map(super::grown), ["+1.5 kB", "±0", "−3.4 MB"]);
    }

    #[test]
    fn ages() {
        let now = Utc::now();
        for (seconds, text) in [
            (0, "just now"),
            (-200, "just now"),
            (9, "just now"),
            (59, "59 s ago"),
            (120, "2 min ago"),
            (3 * 3_600, "3 h ago"),
            (5 * 86_400, "5 d ago"),
            (70 * 86_400, "2 mo ago"),
            (800 * 86_400, "2 y ago"),
        ] {
            assert_eq!(age(now - TimeDelta::seconds(seconds), now), text);
        }
        let ahead = "2126-05-04T00:00:00Z".parse().unwrap();
        assert_eq!(age(ahead, now), "4 May 2126");
        assert_eq!(duration(now - TimeDelta::hours(3), now), "3 h");
        assert_eq!((lag(900), lag(12_300), lag(200_000)), ("under a second".into(), "12 s".into(), "3 min".into()));
    }

    #[test]
    fn names_cannot_turn_or_hide_text() {
        assert_eq!(shown("a\u{202e}b\u{200b}c\u{7}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(shown("ünï/שלום 🦀"), "ünï/שלום 🦀");
        assert_eq!(super::hold("did:web:127.0.0.1%3A36761"), "127.0.0.1:36761");
        assert_eq!(super::hold("did:plc:\u{202e}a"), "did:plc:\u{fffd}a");
        assert_eq!(short_digest("sha256:9f8e7d6c5b4a39281706"), "9f8e7d6c5b4a");
    }
}
