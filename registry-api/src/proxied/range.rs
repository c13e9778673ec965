use axum::http::{
    HeaderMap,
    header::{IF_RANGE, RANGE},
};

/// Which bytes of a blob a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them, and no `Range` was asked for.
    Whole,
    /// These, both included.
    Part(u64, u64),
    /// None that there are.
    Nothing,
}

/// Reads `Range` and `If-Range` ([RFC 9110, 14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2)). What is no single range of
/// bytes may be ignored, and is.
pub(super) fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Wanted::Whole };
    // A validator that is not this blob's, and any date, means that the client has the beginning of something else.
    if headers.get(IF_RANGE).is_some_and(|validator| validator.as_bytes() != etag.as_bytes()) {
        return Wanted::Whole;
    }
    let Some((unit, range)) = range.to_str().ok().and_then(|range| range.split_once('=')) else { return Wanted::Whole };
    let Some((first, last)) = range.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes")) else {
        return Wanted::Whole;
    };
    match (number(first), number(last), size) {
        (Some(first), Some(last), _) if first > last => Wanted::Whole,
        (None, Some(count), 1..) if first.is_empty() && count > 0 => Wanted::Part(size.saturating_sub(count), size - 1),
        (None, Some(_), _) if first.is_empty() => Wanted::Nothing,
        (Some(first), _, _) if first < size && last.is_empty() => Wanted::Part(first, size - 1),
        (Some(first), Some(last), _) if first < size => Wanted::Part(first, last.min(size - 1)),
        (Some(_), last_number, _) if last.is_empty() || last_number.is_some() => Wanted::Nothing,
        _ => Wanted::Whole,
    }
}

/// Digits and nothing else; more than there can be bytes is as many as there can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::IF_RANGE, header::RANGE};

    use super::{Wanted, wanted};

    fn of(range: &'static str, size: u64) -> Wanted {
        wanted(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]), "\"x\"", size)
    }

    #[test]
    fn a_single_range_of_bytes() {
        for (range, expected) in [
            ("bytes=0-", Wanted::Part(0, 9)),
            ("bytes=3-", Wanted::Part(3, 9)),
            ("Bytes=3-3", Wanted::Part(3, 3)),
            ("bytes=3-99", Wanted::Part(3, 9)),
            ("bytes=3-99999999999999999999999", Wanted::Part(3, 9)),
            ("bytes=-4", Wanted::Part(6, 9)),
            ("bytes=-99", Wanted::Part(0, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
        ] {
            assert_eq!(of(range, 10), expected, "{range}");
        }
        assert_eq!((of("bytes=0-", 0), of("bytes=-1", 0)), (Wanted::Nothing, Wanted::Nothing));
    }

    #[test]
    fn anything_else_is_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=3",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "items=0-1",
        ] {
            assert_eq!(of(range, 10), Wanted::Whole, "{range}");
        }
        assert_eq!(wanted(&HeaderMap::new(), "\"x\"", 10), Wanted::Whole);
        let mut headers = HeaderMap::new();
        for range in ["bytes=0-1", "bytes=2-3"] {
            headers.append(RANGE, HeaderValue::from_static(range));
        }
        assert_eq!(wanted(&headers, "\"x\"", 10), Wanted::Whole);
    }

    #[test]
    fn a_range_of_something_else_is_the_whole() {
        for (validator, expected) in [
            ("\"x\"", Wanted::Part(3, 9)),
            ("\"y\"", Wanted::Whole),
            ("W/\"x\"", Wanted::Whole),
            ("Sat, 10 Jan 2026 12:00:00 GMT", Wanted::Whole),
        ] {
            let headers =
                [(RANGE, "bytes=3-"), (IF_RANGE, validator)].map(|(name, v)| (name, HeaderValue::from_static(v)));
            assert_eq!(wanted(&HeaderMap::from_iter(headers), "\"x\"", 10), expected, "{validator}");
        }
    }
}
