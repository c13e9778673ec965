use axum::{Router, body::Body, http::header::CONTENT_TYPE, response::Redirect, routing::get};
use crowsnest_web::{WebConfig, router};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use outbound::{Outbound, OutboundConfig};
use tower::ServiceExt as _;
use types::Cid;

use crate::{
    Answer,
    seed::{ALICE, Seeded},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nwhat a reader of pictures would read";
const DRAWING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";

/// A host of pictures that lies about what they are.
async fn host() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new()
        .route("/boat.png", get(async || ([(CONTENT_TYPE, "text/html")], PNG)))
        .route("/moved.png", get(async || Redirect::temporary("/boat.png")))
        .route("/drawing.png", get(async || ([(CONTENT_TYPE, "image/png")], DRAWING)))
        .route("/huge.png", get(async || [PNG, &[0; 5 << 20]].concat()))
        .route("/xrpc/com.atproto.sync.getBlob", get(async || PNG));
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

fn app(seeded: &Seeded) -> Router {
    let config = OutboundConfig { allow_private_network: true, contact: "https://example.com".to_owned() };
    let outbound = Some(Outbound::new(&config).unwrap());
    router(WebConfig { outbound, ..Seeded::config() }, seeded.reader.clone())
}

async fn get_from(app: &Router, path: &str) -> (Answer, Vec<u8>) {
    let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    (Answer { status, headers, body, bytes: bytes.len() }, bytes)
}

/// The addresses of a page's pictures, in order.
fn pictures(html: &str) -> Vec<String> {
    let found = html.match_indices("src=\"/img/").map(|(at, _)| html[at + 5..].split('"').next().unwrap().to_owned());
    found.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_through_us_and_are_what_we_say() {
    let (seeded, host) = (Seeded::new().await, host().await);
    let names = ["boat.png", "moved.png", "drawing.png", "huge.png", "none.png"];
    let readme: String = names.map(|name| format!("![x]({host}/{name})\n")).concat();
    let set = "UPDATE page SET description = $1 WHERE did = $2 AND repository = 'hello'";
    seeded.client.execute(set, &[&readme, &ALICE]).await.unwrap();
    let app = app(&seeded);
    let (page, _) = get_from(&app, "/r/alice.test/hello").await;
    assert!(!page.body.contains(&host), "{}", page.body);
    let pictures = pictures(&page.body);
    assert_eq!(pictures.len(), names.len(), "{}", page.body);
    for (path, (name, status)) in pictures.iter().zip(names.into_iter().zip([200, 200, 404, 404, 404])) {
        let (answer, bytes) = get_from(&app, path).await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox", "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        if status == 200 {
            assert_eq!((header("content-type"), bytes.as_slice()), ("image/png", PNG), "{name}");
        } else {
            assert_eq!(header("content-type"), "text/plain; charset=utf-8", "{name}");
        }
    }
    // A signature is of one address.
    let (signature, other) = (pictures[0].rsplit_once('/').unwrap().0, pictures[1].rsplit_once('/').unwrap().1);
    assert_eq!(get_from(&app, &format!("{signature}/{other}")).await.0.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_icon_is_fetched_from_its_owners_pds_and_hashed() {
    let (seeded, host) = (Seeded::new().await, host().await);
    seeded.client.execute("UPDATE actor SET pds = $1 WHERE did = $2", &[&host, &ALICE]).await.unwrap();
    for (content, status) in [(PNG, 200), (b"another", 404)] {
        let cid = Cid::of_blob(content).to_string();
        let set = "UPDATE repository SET avatar_cid = $1 WHERE did = $2 AND name = 'hello'";
        seeded.client.execute(set, &[&cid, &ALICE]).await.unwrap();
        let app = app(&seeded);
        let (page, _) = get_from(&app, "/r/alice.test/hello").await;
        let (list, _) = get_from(&app, "/u/alice.test").await;
        assert_eq!(
            pictures(&list.body).iter().filter(|path| **path == pictures(&page.body)[0]).count(),
            1,
            "the same picture in lists"
        );
        let (answer, _) = get_from(&app, &pictures(&page.body)[0]).await;
        assert_eq!(answer.status.as_u16(), status);
        // What does not hash to it is not passed on: the flag is, which is ours.
        assert_eq!(
            answer.body.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
            status == 404,
            "{}",
            answer.body
        );
        assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; sandbox");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dialer_pictures_are_links() {
    let seeded = Seeded::new().await;
    let page = crate::get(&seeded, "/r/alice.test/hello").await.body;
    assert!(!page.contains("/img/") && page.contains("href=\"https://img.example.com/badge.svg\""), "{page}");
    assert_eq!(crate::get(&seeded, "/img/aa/bb").await.status, StatusCode::NOT_FOUND);
}
