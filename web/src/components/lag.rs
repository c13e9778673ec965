//! How far behind the network the index was, as a picture of the last day.

use chrono::{DateTime, TimeDelta, Utc};
use leptos::prelude::*;
use store::queries::LagView;

use crate::text::format;

/// A bar is ten minutes.
const SPAN: i64 = 600;
const BARS: i64 = 144;
/// Units of the picture: a bar's width, and the height of all.
const WIDTH: i64 = 5;
const HEIGHT: f64 = 100.0;
/// The scale is logarithmic, from a tenth of a second to an hour and a half.
const LEAST_MS: f64 = 100.0;
const MOST_MS: f64 = 5_400_000.0;
/// What is said of a lag in milliseconds: up to which it is so.
const GOOD_MS: i64 = 10_000;
const FAIR_MS: i64 = 60_000;
/// Lines to read it by.
const LINES: [(i64, &str); 3] = [(1_000, "1 s"), (60_000, "1 min"), (3_600_000, "1 h")];

/// The picture, with what it says in words.
pub fn picture(lags: &[LagView], now: DateTime<Utc>) -> AnyView {
    let Some(worst) = lags.iter().map(|lag| lag.worst_ms).max() else {
        return view! { <p class="muted">"Nothing is noted yet."</p> }.into_any();
    };
    let first = now.timestamp().div_euclid(SPAN) - BARS + 1;
    let [good, fair, poor] = [i64::MIN..GOOD_MS, GOOD_MS..FAIR_MS, FAIR_MS..i64::MAX].map(|range| {
        lags.iter().filter(|lag| range.contains(&lag.worst_ms)).map(|lag| bar(lag, first)).collect::<String>()
    });
    let lines: String =
        LINES.iter().map(|(ms, _)| format!("M0 {:.1}h{}", HEIGHT - height(*ms), BARS * WIDTH)).collect();
    let silent = BARS - i64::try_from(lags.len()).unwrap_or_default().min(BARS);
    let began = lags.first().map_or(now, |lag| lag.at);
    let label = format!("In the last 24 hours the index was {} behind at worst.", format::lag(worst));
    let gap = (silent > 0 && began < now - TimeDelta::seconds(SPAN))
        .then(|| format!(" Where there is no bar, no indexer ran: {} of the 24 hours.", span(silent * SPAN)));
    view! {
        <figure class="lag">
            <svg viewBox=format!("0 0 {} {HEIGHT}", BARS * WIDTH) preserveAspectRatio="none" role="img" aria-label=label.clone()>
                <path class="lag-good" d=good></path>
                <path class="lag-fair" d=fair></path>
                <path class="lag-poor" d=poor></path>
                <path class="lag-line" d=lines></path>
            </svg>
            <p class="lag-hours" aria-hidden="true"><span>"24 h ago"</span><span>"12 h ago"</span><span>"now"</span></p>
            <figcaption class="muted">{label} {gap} " The lines are at " {LINES.map(|(_, name)| name).join(", ")} "."</figcaption>
        </figure>
    }
    .into_any()
}

fn bar(lag: &LagView, first: i64) -> String {
    let at = lag.at.timestamp().div_euclid(SPAN) - first;
    if !(0..BARS).contains(&at) {
        return String::new();
    }
    format!("M{} {HEIGHT}v-{:.1}h{}V{HEIGHT}z", at * WIDTH, height(lag.worst_ms), WIDTH - 1)
}

/// How high a bar is; even the smallest is seen.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn height(ms: i64) -> f64 {
    let part = ((ms as f64).max(LEAST_MS) / LEAST_MS).ln() / (MOST_MS / LEAST_MS).ln();
    (part * HEIGHT).clamp(2.0, HEIGHT)
}

fn span(seconds: i64) -> String {
    match seconds {
        ..3_600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use leptos::prelude::RenderHtml as _;
    use store::queries::LagView;

    use super::picture;

    #[test]
    fn a_bar_is_where_its_time_is_and_as_bad_as_it_was() {
        let now: chrono::DateTime<Utc> = "2026-01-10T12:05:00Z".parse().unwrap();
        let lag = |hours: i64, worst_ms| LagView { at: now - TimeDelta::minutes(60 * hours + 5), worst_ms };
        let html = picture(&[lag(23, 300), lag(1, 30_000), lag(0, 7_200_000), lag(30, 1)], now).to_html();
        assert!(html.contains("d=\"M715 100v-100.0h4V100z\" class=\"lag-poor\""), "{html}");
        assert!(html.contains("d=\"M685 100v-52.3h4V100z\" class=\"lag-fair\""), "{html}");
        assert!(html.contains("d=\"M25 100v-10.1h4V100z\" class=\"lag-good\""), "{html}");
        assert!(html.contains("2 h behind at worst") && html.contains("no indexer ran"), "{html}");
        assert!(picture(&[], Utc::now()).to_html().contains("Nothing is noted yet"));
    }
}
