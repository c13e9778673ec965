//! Serves the pages over the tests' seeded database, to be looked at: `cargo run -p crowsnest-web --example preview`.

#![allow(clippy::unwrap_used, reason = "a tool for those who work on the pages")]

#[path = "../tests/web/seed.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod seed;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "tells where to look")]
async fn main() {
    let seeded = seed::Seeded::new().await;
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5055".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    println!("http://{address}/ and http://{address}/r/alice.test/hello/-/manifests/{}", seeded.hello);
    axum::serve(listener, seeded.router()).await.unwrap();
}
