//! Layers: a bar whose areas are bytes, over a table with the instruction that made each; and the history as a Dockerfile.

use leptos::prelude::*;
use store::queries::LayerView;

use super::words;
use crate::text::{format, history::Instruction};

/// The bar's width; heights and widths are in its units.
const WIDTH: i64 = 1_000;
/// Classes of fills, taken in turn.
const FILLS: [&str; 6] = ["fill-0", "fill-1", "fill-2", "fill-3", "fill-4", "fill-5"];

fn fill(index: usize) -> &'static str {
    FILLS[index % FILLS.len()]
}

/// Rows of the table, steps of the history, and characters of all steps that are shown.
const MOST_ROWS: usize = 150;
const MOST_STEPS: usize = 200;
const MOST_CHARACTERS: usize = 16_000;

/// The section of an image's layers: each with the instruction that made it, if the history is to be trusted.
pub fn section(layers: &[LayerView], history: &[Instruction]) -> Option<AnyView> {
    if layers.is_empty() {
        return None;
    }
    let made_by = made_by(layers, history);
    let total = total(layers);
    let rows = layers.iter().enumerate().take(MOST_ROWS).map(|(index, layer)| row(index, layer, made_by[index], total));
    let more =
        (layers.len() > MOST_ROWS).then(|| view! { <p class="muted">{layers.len() - MOST_ROWS} " more layers"</p> });
    let summary =
        format!("{} {}, {}", layers.len(), if layers.len() == 1 { "layer" } else { "layers" }, format::size(total));
    let view = view! {
        <section aria-labelledby="layers">
            <h3 id="layers">"Layers"<span class="muted">" " {summary}</span></h3>
            {bar(layers, fill, units(layers, total), total)}
            <table class="cards layers" data-copies="">
                <thead>
                    <tr>
                        <th scope="col">"Made by"</th>
                        <th scope="col">"Digest"</th>
                        <th scope="col" class="number">"Size"</th>
                        <th scope="col" class="number">"Share"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {more}
        </section>
    };
    Some(view.into_any())
}

/// `1 layer`, `2 layers`.
pub fn many(n: usize) -> String {
    if n == 1 { "1 layer".to_owned() } else { format!("{n} layers") }
}

fn total(layers: &[LayerView]) -> i64 {
    layers.iter().map(|layer| layer.size.max(0)).fold(0_i64, i64::saturating_add)
}

/// How wide a layer is drawn where `whole` bytes are as wide as the bar: two units at least, so that an empty one is seen too.
fn width(layer: &LayerView, whole: i64) -> i64 {
    let share = i128::from(layer.size.max(0)) * i128::from(WIDTH) / i128::from(whole.max(1));
    i64::try_from(share).unwrap_or(WIDTH).max(2)
}

/// How wide all layers are drawn on such a scale.
pub fn units(layers: &[LayerView], whole: i64) -> i64 {
    layers.iter().map(|layer| width(layer, whole)).sum()
}

/// The bar alone, each layer in the class that it is given, `whole` bytes as wide as the bar's `units`.
pub fn bar(layers: &[LayerView], class: impl Fn(usize) -> &'static str, units: i64, whole: i64) -> AnyView {
    let total = total(layers);
    let mut x = 0;
    let rectangles = layers.iter().enumerate().map(|(index, layer)| {
        let width = width(layer, whole);
        let at = x;
        x += width;
        view! {
            <rect class=class(index) x=at y="0" width=width height="28">
                <title>{format!("Layer {}: {}", index + 1, format::size(layer.size))}</title>
            </rect>
        }
    });
    let rectangles = rectangles.collect_view();
    let label = format!("{}, {} in all", many(layers.len()), format::size(total));
    view! {
        <svg class="bar" viewBox=format!("0 0 {} 28", units.max(1)) preserveAspectRatio="none" role="img" aria-label=label>
            {rectangles}
        </svg>
    }
    .into_any()
}

/// For each layer the instruction that made it. If their numbers differ the history is not to be trusted.
pub fn made_by<'a>(layers: &[LayerView], history: &'a [Instruction]) -> Vec<Option<&'a Instruction>> {
    let makers: Vec<&Instruction> = history.iter().filter(|step| step.layer).collect();
    if makers.len() == layers.len() { makers.into_iter().map(Some).collect() } else { vec![None; layers.len()] }
}

/// One line that says what a layer is: the instruction, or else the file's name, or else the media type.
pub fn described(layer: &LayerView, made_by: Option<&Instruction>) -> String {
    let text = made_by.map(|step| step.text.as_str()).filter(|text| !text.is_empty());
    let text = text.or(layer.title.as_deref()).unwrap_or(&layer.media_type);
    let line = text.replace(" \\\n ", "").replace('\n', " ");
    format::shown_lines(&line, 120)
}

/// The colour that a layer has in the bar.
pub fn swatch(index: usize) -> AnyView {
    let class = format!("swatch {}", fill(index));
    view! { <svg class=class viewBox="0 0 10 10" width="10" height="10" aria-hidden="true"><path d="M0 0h10v10H0z"></path></svg> }
        .into_any()
}

/// A layer's part of the whole: `38 %`, and of what is there but hardly, `<1 %`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn share(size: i64, total: i64) -> String {
    match size.max(0) as f64 * 100.0 / total.max(1) as f64 {
        share if share > 0.0 && share < 1.0 => "<1 %".to_owned(),
        share => format!("{share:.0} %"),
    }
}

fn row(index: usize, layer: &LayerView, made_by: Option<&Instruction>, total: i64) -> AnyView {
    view! {
        <tr>
            <td data-label="Made by">{swatch(index)} <code class="wrap">{described(layer, made_by)}</code></td>
            <td data-label="Digest">{words::digest(&layer.digest)}</td>
            <td data-label="Size" class="number">{words::size(layer.size)}</td>
            <td data-label="Share" class="number">{share(layer.size, total)}</td>
        </tr>
    }
    .into_any()
}

/// The history from top to bottom, as a Dockerfile would have it; each step that made a layer with that layer's size.
pub fn dockerfile(layers: &[LayerView], history: &[Instruction]) -> Option<AnyView> {
    if history.iter().all(|step| step.text.is_empty()) {
        return None;
    }
    let trusted = history.iter().filter(|step| step.layer).count() == layers.len();
    let (mut next, mut left) = (layers.iter().enumerate(), MOST_CHARACTERS);
    let steps = history.iter().take(MOST_STEPS).map(|step| {
        let layer = if step.layer && trusted { next.next() } else { None };
        let (keyword, rest) = step.split();
        let rest = format::shown_lines(rest, left.min(1_000));
        left = left.saturating_sub(rest.len());
        let layer = layer
            .map(|(index, layer)| view! { <span class="step-size">{swatch(index)} {words::size(layer.size)}</span> });
        let keyword = keyword.map(|keyword| view! { <b>{keyword.to_owned()}</b> " " });
        view! { <li class:empty-layer=!step.layer><code>{keyword}{rest}</code>{layer}</li> }
    });
    let steps = steps.collect_view();
    let view = view! {
        <section aria-labelledby="history">
            <h3 id="history">"How it was built"</h3>
            <ol class="dockerfile">{steps}</ol>
        </section>
    };
    Some(view.into_any())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn what_is_there_is_never_nothing() {
        let shares = [(0, 1_000), (1, 1_000), (9, 1_000), (10, 1_000), (385, 1_000), (5, 5), (0, 0)];
        assert_eq!(
            shares.map(|(size, total)| share(size, total)),
            ["0 %", "<1 %", "<1 %", "1 %", "38 %", "100 %", "0 %"]
        );
    }
}
