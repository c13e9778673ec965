use crate::support::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn starts() {
    let begun = std::time::Instant::now();
    let fixture = Fixture::start().await;
    println!("started in {:?}", begun.elapsed());
    println!("{}", serde_json::to_string_pretty(&fixture.devnet.manifest()).unwrap());
    fixture.devnet.shutdown().await;
    drop(fixture.directory);
}
