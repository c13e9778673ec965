//! [wrk](https://github.com/wg/wrk): as many requests as are answered, on 64 connections.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

/// What wrk counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub requests: u64,
    /// A second.
    pub rate: f64,
    /// The latency that 99 % of the requests do not exceed, in milliseconds.
    pub p99: f64,
}

/// Asks a URL for some time, or what a script asks for, with these headers.
pub async fn run(url: &str, headers: &[&str], time: Duration, script: Option<&Path>) -> Result<Run> {
    let mut wrk = Command::new("wrk");
    // With one thread it would be wrk that is measured.
    wrk.args(["--threads", "2", "--connections", "64", "--latency", "--timeout", "10s"]);
    for header in headers {
        wrk.arg("--header").arg(header);
    }
    wrk.arg("--duration").arg(format!("{}s", time.as_secs()));
    if let Some(script) = script {
        wrk.arg("--script").arg(script);
    }
    let output = wrk.arg(url).output().await.context("cannot start wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("wrk: {}", String::from_utf8_lossy(&output.stderr));
    }
    parse(&text).with_context(|| format!("wrk of {url} says: {text}"))
}

/// Reads its report. Answers that are none of success count as a failure of the measurement.
fn parse(text: &str) -> Option<Run> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let lines = || text.lines().map(str::trim);
    let requests = lines().find_map(|line| line.split_once(" requests in ")?.0.parse().ok())?;
    let rate = lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())?;
    let p99 = lines().find_map(|line| milliseconds(line.strip_prefix("99%")?.trim()))?;
    Some(Run { requests, rate, p99 })
}

fn milliseconds(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let value: f64 = text[..at].parse().ok()?;
    Some(match &text[at..] {
        "us" => value / 1_000.0,
        "ms" => value,
        "s" => value * 1_000.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Run, parse};

    const REPORT: &str = "Running 3s test @ http://127.0.0.1:5000/\n  1 threads and 64 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.54ms    0.90ms  21.00ms   91.00%\n  \
        Latency Distribution\n     50%    1.40ms\n     99%  870.00us\n  128394 requests in 3.10s, 40.10MB read\n\
        Requests/sec:  41417.42\nTransfer/sec:     12.94MB\n";

    #[test]
    fn a_report() {
        assert_eq!(parse(REPORT), Some(Run { requests: 128_394, rate: 41_417.42, p99: 0.87 }));
    }

    #[test]
    fn answers_that_are_errors_are_no_figure() {
        assert_eq!(parse(&format!("{REPORT}  Non-2xx or 3xx responses: 7\n")), None);
        assert_eq!(parse(&format!("{REPORT}  Socket errors: connect 0, read 1, write 0, timeout 0\n")), None);
    }
}
