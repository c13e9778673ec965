use clap::{CommandFactory, Parser};

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

fn parse(arguments: &[&str]) -> Cli {
    Cli::try_parse_from([&["crowsnest"], arguments].concat()).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    Cli::try_parse_from([&["crowsnest"], arguments].concat()).unwrap_err().to_string()
}

#[test]
fn defaults_are_the_public_network_on_loopback() {
    let cli = parse(&[]);
    assert_eq!(cli.database.database_url, None);
    assert_eq!(cli.database.data_dir, PathBuf::from(".crowsnest"));
    assert_eq!(cli.network.plc_url.as_str(), "https://plc.directory/");
    assert!(!cli.network.allow_private_network);
    assert!(cli.network.user_agent().starts_with(concat!("crowsnest/", env!("CARGO_PKG_VERSION"), " (+https://")));
    assert_eq!(cli.source.source.len(), 4);
    assert_eq!((cli.archive.archive_days, cli.archive.archive_bytes), (30, 10 << 30));
    assert!(cli.source.source.iter().all(|source| source.kind() == SourceKind::JetstreamV1));
    assert_eq!(cli.serve.public_url("127.0.0.1:5000".parse().unwrap()).as_str(), "http://127.0.0.1:5000/");
    assert_eq!(cli.telemetry.log_format, LogFormat::Text);
}

#[test]
fn every_flag_has_its_environment_variable() {
    for argument in Cli::command().get_arguments().filter(|argument| argument.get_id() != "help") {
        let flag = argument.get_long().unwrap();
        let variable = format!("CROWSNEST_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(argument.get_env().unwrap().to_str().unwrap(), variable);
        assert!(argument.get_help().is_some(), "--{flag} has no help");
    }
}

#[test]
fn sources_keep_their_order_and_tell_their_kind_by_the_path() {
    let cli = parse(&[
        "--source",
        "ws://127.0.0.1:1/xrpc/com.atproto.sync.subscribeRepos,wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents",
        "--source=wss://b.example/subscribe",
    ]);
    let kinds: Vec<_> = cli.source.source.iter().map(SourceUrl::kind).collect();
    assert_eq!(kinds, [SourceKind::Firehose, SourceKind::JetstreamV2, SourceKind::JetstreamV1]);
    assert_eq!(cli.source.source[2].to_string(), "wss://b.example/subscribe");
}

#[test]
fn a_wrong_source_says_what_was_expected() {
    for (source, expected) in [
        ("jetstream.example", "wss://HOST/subscribe"),
        ("https://a.example/subscribe", "expected ws:// or wss://, found https://"),
        ("wss://a.example/", "/xrpc/com.atproto.sync.subscribeRepos (firehose), found /"),
        ("wss://a.example/subscribe/", "expected a path ending in /subscribe"),
        ("wss://a.example/notsubscribe", "expected a path ending in /subscribe"),
        ("wss://a.example/subscribe?cursor=1", "expected nothing after the path"),
        ("wss://me:secret@a.example/subscribe", "no user name or password"),
    ] {
        let message = refusal(&["--source", source]);
        assert!(message.contains(expected), "{source}: {message}");
    }
}

#[test]
fn the_public_url_is_an_origin_and_never_an_unspecified_address() {
    let public_url = |args: &[&str], bound: &str| parse(args).serve.public_url(bound.parse().unwrap()).to_string();
    assert_eq!(public_url(&["--public-url=https://c.example"], "0.0.0.0:80"), "https://c.example/");
    assert_eq!(public_url(&[], "0.0.0.0:80"), "http://127.0.0.1/");
    assert_eq!(public_url(&[], "[::]:5001"), "http://[::1]:5001/");
    assert!(refusal(&["--public-url=https://c.example/path"]).contains("expected an origin"));
    assert!(refusal(&["--public-url=ftp://c.example"]).contains("expected http:// or https://"));
}

#[test]
fn proxies_are_addresses_or_blocks() {
    let cli = parse(&["--trusted-proxies=10.0.0.0/8,::1"]);
    assert_eq!(cli.serve.trusted_proxies, ["10.0.0.0/8".parse::<IpNet>().unwrap(), "::1/128".parse().unwrap()]);
    assert!(refusal(&["--trusted-proxies=proxy.example"]).contains("expected an address or a CIDR block"));
}

#[test]
fn values_that_would_break_later_are_refused_at_once() {
    assert!(refusal(&["--contact=a\nb"]).contains("printable ASCII"));
    assert!(refusal(&["--log=crowsnest=loud"]).contains("--log"));
    assert!(refusal(&["--listen=5000"]).contains("--listen"));
    assert!(refusal(&["--archive-bytes=lots"]).contains("500M or 10G"));
    assert!(refusal(&["--archive-bytes=99999999999T"]).contains("500M or 10G"));
    assert_eq!(parse(&["--archive-bytes=512k"]).archive.archive_bytes, 512 << 10);
}

#[test]
fn the_pull_api_redirects_and_is_generous() {
    let cli = parse(&[]);
    assert_eq!((cli.registry.blobs, cli.registry.blobs_at_once), (Blobs::Redirect, 256));
    assert_eq!((cli.registry.requests_per_second, cli.registry.lookups_per_second), (100, 5));
    assert_eq!((cli.serve.max_connections, cli.serve.drain), (4096, 30));
    let cli = parse(&["--blobs", "proxy", "--requests-per-second", "0", "--drain", "0"]);
    assert_eq!((cli.registry.blobs, cli.registry.requests_per_second, cli.serve.drain), (Blobs::Proxy, 0, 0));
    assert!(refusal(&["--blobs", "copy"]).contains("redirect, proxy"));
}
