use leptos::prelude::*;
use store::queries::RepositoryItem;

use super::new;
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{icon::Icon, row::rows, words},
    error::WebError,
};

/// Rows of each list.
const LIST_SIZE: i64 = 6;

/// Search first; then what is new, as it comes, and what others star; then how to pull and to publish.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let newest = reader.newest(None, LIST_SIZE).await?;
    let mut featured = reader.featured(2 * LIST_SIZE).await?;
    // What stands beside it is seen already.
    let is_new = |item: &RepositoryItem| newest.iter().any(|new| new.owner == item.owner && new.name == item.name);
    featured.retain(|item| !is_new(item));
    featured.truncate(usize::try_from(LIST_SIZE).unwrap_or_default());
    let example = featured.iter().chain(&newest).find(|item| item.pullable);
    let host = visit.web.config().public_url.authority().to_owned();
    let reference = example.map_or_else(
        || format!("{host}/alice.example/app:latest"),
        |item| {
            let tag = item.latest_tag.as_deref().unwrap_or("latest");
            format!("{host}/{}/{}:{tag}", item.owner.name(), item.name)
        },
    );
    let body = view! {
        {hero(&featured)}
        <div class="columns">
            <section aria-labelledby="new">
                <div class="list-head">
                    <h2 id="new">"What’s new"</h2>
                    {new::switch()}
                </div>
                {new::live(&newest, LIST_SIZE)}
                <p class="more"><a href="/new">"Everything that is new"</a></p>
            </section>
            <section aria-labelledby="featured">
                <div class="list-head"><h2 id="featured">"Featured"</h2></div>
                {list(&featured)}
                <p class="more"><a href="/explore">"Explore"</a></p>
            </section>
        </div>
        {how(reference)}
    };
    Ok(Page::new("", "/", body).into())
}

fn hero(featured: &[RepositoryItem]) -> impl IntoView + use<> {
    let mut names: Vec<&str> = featured.iter().filter(|item| item.pullable).map(|item| item.name.as_str()).collect();
    names.dedup();
    let example = |name: &&str| {
        let href = address::with_query("/search", &[("q", name)]);
        view! { <li><a href=href>{(*name).to_owned()}</a></li> }
    };
    let examples = names.iter().take(3).map(example).collect_view();
    view! {
        <section class="hero">
            <h1>"Find and pull the container images that people publish on the AT Protocol."</h1>
            <form class="hero-search" role="search" aria-label="Images" action="/search">
                <label class="hidden" for="home-q">"Search images"</label>
                {Icon::Search.draw()}
                <input id="home-q" type="search" name="q" placeholder="Name or words" maxlength="200" autocomplete="off" spellcheck="false"/>
                <button type="submit">"Search"</button>
            </form>
            {(!names.is_empty()).then(|| view! { <div class="examples"><span>"Try"</span> <ul>{examples}</ul></div> })}
        </section>
    }
}

/// Repositories, or that there are none yet.
pub fn list(items: &[RepositoryItem]) -> AnyView {
    if items.is_empty() {
        return view! { <p class="empty">"Nothing yet. An image shows up here within a second of being published."</p> }.into_any();
    }
    rows(items, "")
}

fn how(reference: String) -> impl IntoView {
    let command = format!("docker pull {reference}");
    view! {
        <div class="columns how">
            <section aria-labelledby="pull-one">
                <h2 id="pull-one">"Pull in one line"</h2>
                <div class="command"><code>{command.clone()}</code>{words::copy(command, "the command")}</div>
                <p class="muted">"Any OCI client works, without an account. " <a href="/install">"Set up a client"</a></p>
            </section>
            <section aria-labelledby="publish">
                <h2 id="publish">"Publish in three"</h2>
                <pre class="commands" tabindex="0"><code>
                    "docker login atcr.io\ndocker tag app atcr.io/you.example/app:v1\ndocker push atcr.io/you.example/app:v1"
                </code></pre>
                <p class="muted">"Sign in with your AT Protocol handle. The records land in your own repository, and here."</p>
            </section>
        </div>
    }
}
