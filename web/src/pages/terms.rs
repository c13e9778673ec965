use leptos::prelude::*;

use crate::{
    app::{Answer, Page, Visit},
    error::WebError,
};

/// What is kept of whom.
pub async fn privacy(_: Visit) -> Result<Answer, WebError> {
    let body = view! {
        <article class="readme">
            <h1>"Privacy"</h1>
            <p>"This index is about images, not about those who read it."</p>
            <h2>"If you look at pages"</h2>
            <p>
                "Nothing is loaded from elsewhere, nothing counts or follows you, and no cookie is set. The one exception is a theme that
                you choose yourself at the foot of a page: it is kept in a cookie named “theme” that says light or dark and nothing
                else, for a year or until you choose “System”. Whether you use single keys is kept in your browser and not sent."
            </p>
            <h2>"If you pull"</h2>
            <p>
                "Pulls are counted by repository, tag and day, without who pulled. So that an image is counted once, what a client
                asked for last is remembered for a minute, in memory, under a hash of its address whose key nobody has. Layers come from
                the hold that keeps them: whoever runs it sees your address, as any server does."
            </p>
            <h2>"If you sign in for a private hold"</h2>
            <p>
                "Your password goes to your own server, and is kept nowhere here. The session that it opens is sealed so that neither the
                database nor a file beside it nor your token opens it alone, and it is forgotten a quarter of an hour after its last token."
            </p>
            <h2>"If you publish"</h2>
            <p>
                "Records on the AT Protocol are public, and are shown here as you published them, with your handle and DID. Delete a
                record and it goes from here within seconds; hide or delete your account and all of it does. Older revisions of events
                are kept for a while, so that the index can be made anew; of an account that was deleted for good they are removed."
            </p>
            <h2>"What servers write down"</h2>
            <p>
                "This program logs what fails on its own side, without addresses of readers. Whoever runs this host may have a proxy in front of it
                that keeps a log of its own: ask them."
            </p>
        </article>
    };
    let mut page = Page::new("Privacy", "/privacy", body);
    page.description = Some("What crowsnest keeps of those who read, pull and publish.".to_owned());
    Ok(page.into())
}

/// On what terms this is offered.
pub async fn terms(visit: Visit) -> Result<Answer, WebError> {
    let host = visit.web.config().public_url.authority().to_owned();
    let body = view! {
        <article class="readme">
            <h1>"Terms"</h1>
            <p>
                "This host, " <code>{host}</code> ", runs crowsnest, which is free software under the MIT or the Apache 2.0 licence. It is offered
                as it is, without a promise that it will be there tomorrow or that what it shows is right."
            </p>
            <h2>"Whose images these are"</h2>
            <p>
                "Images, names, descriptions and READMEs are their owners’, under the licences that they chose. Nobody here has looked at
                what is in them. Before you run an image, look at who published it, what it is made of, and what was published about it:
                its page shows all three."
            </p>
            <h2>"What you may do"</h2>
            <p>
                "Read, search, pull and index, by hand or by program. Take no more than you need: who asks too often is told to slow down
                (429), and how long to wait."
            </p>
            <h2>"If something should not be here"</h2>
            <p>
                "Tell the account’s own server first: what it takes down is hidden here at once. The layers of an image are on the hold
                that its page names, and whoever runs it can remove them. Whoever runs this host can leave out an account altogether."
            </p>
        </article>
    };
    let mut page = Page::new("Terms", "/terms", body);
    page.description = Some("On what terms this index is offered.".to_owned());
    Ok(page.into())
}
