use axum::body::Body;
use http::{Request, StatusCode, header};

use crate::{get, seed::Seeded, send, text};

async fn choose(seeded: &Seeded, form: &str) -> crate::Answer {
    let request = Request::post("/theme").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(seeded, request.body(Body::from(form.to_owned())).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_theme_is_kept_in_the_one_cookie_and_drawn_by_the_server() {
    let seeded = Seeded::new().await;
    let answer = choose(&seeded, "theme=dark&to=%2Fsearch%3Fq%3Da").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/search?q=a"));
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert_eq!(cookie, "theme=dark; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
    for (cookie, html) in [
        ("theme=dark", "<html lang=\"en\" data-theme=\"dark\">"),
        ("theme=light", "<html lang=\"en\" data-theme=\"light\">"),
        ("theme=x", "<html lang=\"en\">"),
    ] {
        for path in ["/", "/nowhere"] {
            let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
            let page = send(&seeded, request).await;
            assert!(page.body.contains(html), "{path} with {cookie}: {}", &page.body[..200]);
            assert!(page.headers[header::VARY].to_str().unwrap().contains("cookie"), "{path}");
            assert!(!page.headers.contains_key(header::SET_COOKIE), "{path}");
        }
    }
    let answer = choose(&seeded, "theme=system&to=https%3A%2F%2Fevil.example").await;
    assert_eq!(answer.location(), "/");
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(choose(&seeded, "theme=purple").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_they_are_to_those_who_link_to_them() {
    let seeded = Seeded::new().await;
    for path in ["/", "/r/alice.test/hello", "/u/alice.test", "/holds", "/new", "/explore", "/install"] {
        let html = get(&seeded, path).await.body;
        let url = format!("http://127.0.0.1:5000{path}");
        assert!(html.contains(&format!("<link rel=\"canonical\" href=\"{url}\">")), "{path}: {html}");
        assert!(html.contains(&format!("<meta property=\"og:url\" content=\"{url}\">")), "{path}: {html}");
        for property in ["og:title", "og:description", "og:type", "og:site_name"] {
            assert_eq!(html.matches(&format!("property=\"{property}\"")).count(), 1, "{path}: {property}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{path}");
    }
    let nowhere = get(&seeded, "/team/nginx").await;
    assert!(!nowhere.body.contains("rel=\"canonical\""), "what is not there has no address");
    assert!(text(&nowhere.body).contains("Search for “nginx”"), "{}", text(&nowhere.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_nothing_is_offered_that_needs_one() {
    let seeded = Seeded::new().await;
    let html = get(&seeded, "/").await.body;
    for needs_script in ["data-copy", "data-live-pause", "data-keys"] {
        for (at, _) in html.match_indices(&format!("{needs_script}=")) {
            let tag = &html[html[..at].rfind('<').unwrap()..];
            let tag = &tag[..tag.find('>').unwrap()];
            assert!(tag.contains(" hidden"), "{tag}");
        }
    }
}
