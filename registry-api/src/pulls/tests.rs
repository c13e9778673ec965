use std::time::{Duration, Instant};

use super::{
    attribution::{Attribution, Family, Seen},
    clients,
};

const INDEX: &str = "sha256:aaaaaaaaaaaaaaaa";
const IMAGE: &str = "sha256:bbbbbbbbbbbbbbbb";
const OTHER: &str = "sha256:cccccccccccccccc";
const SIGNATURE: &str = "sha256:dddddddddddddddd";

fn family(digest: &str) -> Family {
    let bytes = match digest {
        INDEX => format!(r#"{{"manifests":[{{"digest":"{IMAGE}"}}]}}"#),
        SIGNATURE => format!(r#"{{"subject":{{"digest":"{INDEX}"}}}}"#),
        _ => "{}".to_owned(),
    };
    Family::of(digest, &bytes.into())
}

/// What is counted of requests, each (seconds, client, method, tag or digest, digest).
fn counted(requests: &[(u64, u64, &str, &str, &str)]) -> Vec<String> {
    let (attribution, began) = (Attribution::new(), Instant::now());
    let counted = requests.iter().filter_map(|(second, who, method, reference, digest)| {
        let tag = (!reference.starts_with("sha256:")).then_some(*reference);
        let seen = Seen { who: *who, tag, family: &family(digest), head: *method == "HEAD" };
        attribution.pull(&seen, began + Duration::from_secs(*second))
    });
    counted.collect()
}

#[test]
fn a_pull_is_counted_once_and_by_its_tag() {
    for (what, requests, expected) in [
        ("podman", &[(0, 1, "GET", "v1", INDEX), (0, 1, "GET", IMAGE, IMAGE)][..], &["v1"][..]),
        ("docker", &[(0, 1, "HEAD", "v1", INDEX), (0, 1, "GET", INDEX, INDEX), (1, 1, "GET", IMAGE, IMAGE)], &["v1"]),
        (
            "containerd",
            &[(0, 1, "HEAD", "v1", OTHER), (0, 1, "GET", OTHER, OTHER), (0, 1, "GET", OTHER, OTHER)],
            &["v1"],
        ),
        ("a look alone", &[(0, 1, "HEAD", "v1", INDEX), (5, 1, "HEAD", "v1", INDEX)], &[]),
        ("by digest", &[(0, 1, "HEAD", INDEX, INDEX), (0, 1, "GET", INDEX, INDEX), (0, 1, "GET", IMAGE, IMAGE)], &[""]),
        ("two images by digest", &[(0, 1, "GET", IMAGE, IMAGE), (0, 1, "GET", OTHER, OTHER)], &["", ""]),
        ("the same again", &[(0, 1, "GET", "v1", OTHER), (9, 1, "GET", "v1", OTHER)], &["v1", "v1"]),
        ("two clients", &[(0, 1, "HEAD", "v1", OTHER), (0, 2, "GET", OTHER, OTHER)], &[""]),
        ("too late", &[(0, 1, "HEAD", "v1", OTHER), (61, 1, "GET", OTHER, OTHER)], &[""]),
        ("with its signature", &[(0, 1, "GET", "v1", INDEX), (0, 1, "GET", SIGNATURE, SIGNATURE)], &["v1"]),
        ("a signature alone", &[(0, 1, "GET", SIGNATURE, SIGNATURE)], &[]),
        ("two tags", &[(0, 1, "GET", "v1", OTHER), (1, 1, "GET", "v2", OTHER)], &["v1", "v2"]),
    ] {
        assert_eq!(counted(requests), expected, "{what}");
    }
}

#[test]
fn who_only_looks_pulls_nothing() {
    for agent in ["docker/27.0 go/1.22", "containerd/2.0", "skopeo/1.9", "Go-http-client/1.1", "oras/1.2", "curl/8.5.0"]
    {
        assert!(clients::pulls(agent.as_bytes()), "{agent}");
    }
    for agent in
        ["Googlebot/2.1", "Mozilla/5.0 (X11)", "UptimeRobot/2.0", "some-Crawler", "Blackbox Exporter/0.25.0", ""]
    {
        assert!(!clients::pulls(agent.as_bytes()), "{agent}");
    }
}
