use chrono::Utc;
use leptos::prelude::*;
use store::queries::{BackfillView, Counts, GapView, RejectsView};

use crate::{
    api::status::{SourceState, sources},
    app::{Answer, Page, Visit},
    components::{facts::fact, lag, words},
    error::WebError,
    text::format,
};

/// How many gaps are told of; the JSON has more.
const GAPS: usize = 5;

/// What the index holds, how fresh it is and what it reads.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let web = &visit.web;
    let status = web.reader().status().await?;
    let (fingerprint, covered) = web.fingerprint().await?;
    let (lags, rejects) = (web.reader().lag_of_a_day().await?, web.reader().rejects_by_reason().await?);
    let now = Utc::now();
    let lag = web.lag_ms(&status.sources, now).map_or_else(
        || "has heard nothing from the network yet".to_owned(),
        |lag| format!("is {} behind the network", format::lag(lag)),
    );
    let body = view! {
        <div class="page-head"><h1>"The index " {lag}</h1></div>
        <section aria-labelledby="lag">
            <h2 id="lag">"How far behind it was"</h2>
            {lag::picture(&lags, now)}
        </section>
        <section aria-labelledby="counts">
            <h2 id="counts">"What it holds"</h2>
            {counts(&status.counts)}
        </section>
        <section aria-labelledby="sources">
            <h2 id="sources">"What it reads"</h2>
            {source_table(sources(web.config(), &status.sources))}
            {status.gaps.iter().take(GAPS).map(gap).collect_view()}
        </section>
        {status.backfill.as_ref().map(backfill)}
        {rejected(&rejects)}
        <section aria-labelledby="fingerprint">
            <h2 id="fingerprint">"Fingerprint"</h2>
            <p>
                "Two indexes that hold the same records show the same fingerprint. This one covers "
                {format::grouped(covered)} " records of active accounts."
            </p>
            <div class="command"><code>{fingerprint.clone()}</code>{words::copy(fingerprint, "the fingerprint")}</div>
        </section>
        <p class="muted">
            "crowsnest " {web.config().version.clone()} ", generation " {web.reader().generation().to_string()}
            " of the index. The same as JSON: " <a href="/api/v1/status">"/api/v1/status"</a>
        </p>
    };
    Ok(Page::new("Status", "/status", body).into())
}

fn counts(counts: &Counts) -> impl IntoView + use<> {
    let count = |name, n: i64| fact(name, words::count(n));
    view! {
        <dl class="figures">
            {count("Repositories", counts.repositories)}
            {count("Manifests", counts.manifests)}
            {count("Tags", counts.tags)}
            {count("Stars", counts.stars)}
            {count("Holds", counts.holds)}
            {count("Accounts", counts.accounts)}
            {count("Records", counts.records)}
            {count("Invalid records", counts.invalid)}
            {count("Jobs waiting", counts.jobs)}
            {count("Rejected events", counts.rejects)}
        </dl>
        {counts.estimated.then(|| view! { <p class="muted">"What is more than 20,000 is estimated."</p> })}
    }
}

/// Why events were refused; their bytes are kept for whoever wants to know what they were.
fn rejected(rejects: &[RejectsView]) -> Option<AnyView> {
    let row = |reject: &RejectsView| {
        view! {
            <tr>
                <th scope="row" data-label="Reason">{why(&reject.reason)}</th>
                <td data-label="Kept" class="number">{words::count(reject.kept)}</td>
                <td data-label="Newest">{words::age(reject.newest)}</td>
            </tr>
        }
    };
    let view = view! {
        <section aria-labelledby="rejects">
            <h2 id="rejects">"What was refused"</h2>
            <p class="muted">"Events that could not be taken, and passed over. The newest 50,000 are kept."</p>
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Reason"</th>
                        <th scope="col" class="number">"Kept"</th>
                        <th scope="col">"Newest"</th>
                    </tr>
                </thead>
                <tbody>{rejects.iter().map(row).collect_view()}</tbody>
            </table>
        </section>
    };
    (!rejects.is_empty()).then(|| view.into_any())
}

/// A name of `types::DropReason`, in words.
fn why(reason: &str) -> String {
    let words = match reason {
        "bad_envelope" => "An envelope that does not decode",
        "bad_name" => "A DID, key, revision or CID that is none",
        "rev_too_far_ahead" => "A revision more than five minutes ahead of the clock",
        "cid_mismatch" => "Bytes that do not hash to their CID",
        "wrong_bytes" => "Bytes that do not hash to their digest",
        "too_large" => "A record or a frame that is too large",
        "conflict" => "The same revision with another content",
        "quota" => "More than is taken of one account in a day",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

fn source_table(sources: Vec<SourceState>) -> AnyView {
    if sources.is_empty() {
        return view! { <p class="empty">"No source has been read yet."</p> }.into_any();
    }
    let row = |source: SourceState| {
        let class = match source.state.as_str() {
            "connected" => "good",
            "stalled" | "failed" | "stopped" => "bad",
            _ => "muted",
        };
        view! {
            <tr>
                <th scope="row" data-label="Source"><code class="wrap">{format::shown(&source.url)}</code></th>
                <td data-label="Kind">{source.kind}</td>
                <td data-label="State"><span class=class>{source.state}</span></td>
                <td data-label="Cursor" class="number">{source.cursor.map(|cursor| cursor.to_string())}</td>
                <td data-label="Moved">{words::age_or_dash(source.updated_at)}</td>
            </tr>
        }
    };
    view! {
        <table class="cards">
            <thead>
                <tr>
                    <th scope="col">"Source"</th>
                    <th scope="col">"Kind"</th>
                    <th scope="col">"State"</th>
                    <th scope="col" class="number">"Cursor"</th>
                    <th scope="col">"Moved"</th>
                </tr>
            </thead>
            <tbody>{sources.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

/// A gap, in a sentence or two.
fn gap(gap: &GapView) -> AnyView {
    let what = match gap.reason.as_str() {
        "future" => " was set up anew and does not know how far we had come",
        "unreadable" => " sends something that cannot be read, which was passed over",
        _ => " no longer had all that we missed",
    };
    let since = gap.since.map(|time| view! { " since " {words::age(time)} });
    let repaired = match (gap.repaired_at, gap.missing) {
        (Some(time), _) => view! { "All repositories were read in its place, until " {words::age(time)} "." }.into_any(),
        (None, Some(missing)) => {
            view! { "Repositories were read in its place, but " {format::grouped(missing)} " could not be; they are tried again." }
                .into_any()
        }
        (None, None) => view! { "All repositories are being read in its place." }.into_any(),
    };
    view! {
        <p>
            <code class="wrap">{format::shown(&gap.source)}</code> {what} {since} ", as we found "
            {words::age(gap.detected_at)} ". " {repaired}
        </p>
    }
    .into_any()
}

fn backfill(backfill: &BackfillView) -> AnyView {
    let state = match backfill.finished_at {
        Some(time) => view! { "finished " {words::age(time)} }.into_any(),
        None => view! { "began " {words::age(backfill.started_at)} }.into_any(),
    };
    view! {
        <section aria-labelledby="backfill">
            <h2 id="backfill">"Reading the whole network"</h2>
            <p>
                {format::grouped(backfill.done)} " of " {format::grouped(backfill.total)} " accounts read, "
                {format::grouped(backfill.failed)} " could not be; " {state} "."
            </p>
        </section>
    }
    .into_any()
}
