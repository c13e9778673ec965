//! Layers: a bar whose areas are bytes, over a table with the instruction that made each.

use leptos::prelude::*;
use store::queries::LayerView;

use super::words;
use crate::text::{format, history::Instruction};

/// The bar's width; heights and widths are in its units.
const WIDTH: i64 = 1_000;
/// Classes of fills, taken in turn.
const FILLS: usize = 6;

/// The section of an image's layers, with its whole history if that is known.
pub fn section(layers: &[LayerView], history: &[Instruction]) -> Option<AnyView> {
    if layers.is_empty() {
        return None;
    }
    let view = view! {
        <section aria-labelledby="layers">
            <h3 id="layers">"Layers"</h3>
            {bar(layers)}
            <table class="cards layers">
                <thead>
                    <tr><th scope="col">"Made by"</th><th scope="col">"Digest"</th><th scope="col" class="number">"Size"</th></tr>
                </thead>
                <tbody>{table(layers, history)}</tbody>
            </table>
        </section>
    };
    Some(view.into_any())
}

fn bar(layers: &[LayerView]) -> AnyView {
    let total = layers.iter().map(|layer| layer.size.max(0)).fold(0_i64, i64::saturating_add).max(1);
    let mut x = 0;
    let rectangles = layers.iter().enumerate().map(|(index, layer)| {
        // Two units at least, so that an empty layer is seen too.
        let share = i128::from(layer.size.max(0)) * i128::from(WIDTH) / i128::from(total);
        let width = i64::try_from(share).unwrap_or(WIDTH).max(2);
        let at = x;
        x += width;
        view! {
            <rect class=format!("fill-{}", index % FILLS) x=at y="0" width=width height="28">
                <title>{format!("Layer {}: {}", index + 1, format::size(layer.size))}</title>
            </rect>
        }
    });
    let rectangles = rectangles.collect_view();
    let label = format!("{} layers, {} in all", layers.len(), format::size(total));
    view! {
        <svg class="bar" viewBox=format!("0 0 {} 28", x.max(1)) preserveAspectRatio="none" role="img" aria-label=label>
            {rectangles}
        </svg>
    }
    .into_any()
}

/// Steps in order; each that made a layer takes the next one. If their numbers differ the history is not to be trusted.
fn table(layers: &[LayerView], history: &[Instruction]) -> Vec<AnyView> {
    if history.iter().filter(|step| step.layer).count() != layers.len() {
        return layers.iter().enumerate().map(|(index, layer)| row(Some((index, layer)), &layer.media_type)).collect();
    }
    let mut numbered = layers.iter().enumerate();
    history.iter().map(|step| row(if step.layer { numbered.next() } else { None }, &step.text)).collect()
}

fn row(layer: Option<(usize, &LayerView)>, made_by: &str) -> AnyView {
    let swatch = layer.map(|(index, _)| {
        let class = format!("swatch fill-{}", index % FILLS);
        view! { <svg class=class viewBox="0 0 10 10" width="10" height="10" aria-hidden="true"><path d="M0 0h10v10H0z"></path></svg> }
    });
    let layer = layer.map(|(_, layer)| layer);
    view! {
        <tr class:empty-layer=layer.is_none()>
            <td data-label="Made by">{swatch} <code class="wrap">{format::shown(made_by)}</code></td>
            <td data-label="Digest">{layer.map(|layer| words::digest(&layer.digest))}</td>
            <td data-label="Size" class="number">{layer.map(|layer| words::size(layer.size))}</td>
        </tr>
    }
    .into_any()
}
