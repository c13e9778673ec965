//! `crowsnest-devnet DIRECTORY [--live]`: a devnet by itself, until it is interrupted. One line of JSON, the manifest,
//! says that it serves and where. `crowsnest-devnet --forward ADDRESS` only passes connections on to another address; its line
//! is its own address.

use std::{io::Write as _, process::ExitCode};

use crowsnest_devnet::{Devnet, DevnetConfig};

const USAGE: &str = "usage: crowsnest-devnet DIRECTORY [--live] | --forward ADDRESS";

#[tokio::main]
async fn main() -> ExitCode {
    let (mut directory, mut live, mut forward) = (None, false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--live" => live = true,
            "--forward" => forward = arguments.next().and_then(|address| address.parse().ok()),
            other if !other.starts_with('-') && directory.is_none() => directory = Some(argument),
            _ => return complain(2, USAGE),
        }
    }
    match (directory, forward) {
        (Some(directory), None) => serve(DevnetConfig { live, ..DevnetConfig::new(directory) }).await,
        (None, Some(address)) => match crowsnest_devnet::forward(address).await {
            Ok(at) => until_interrupted(&at.to_string()).await,
            Err(error) => complain(2, &error.to_string()),
        },
        _ => complain(2, USAGE),
    }
}

async fn serve(config: DevnetConfig) -> ExitCode {
    let devnet = match Devnet::start(config).await {
        Ok(devnet) => devnet,
        Err(error) => return complain(2, &error.to_string()),
    };
    let manifest = serde_json::to_string(&devnet.manifest()).unwrap_or_default();
    let code = until_interrupted(&manifest).await;
    devnet.shutdown().await;
    code
}

/// Says where it serves, and waits.
async fn until_interrupted(line: &str) -> ExitCode {
    let told = writeln!(std::io::stdout(), "{line}");
    let interrupted = tokio::signal::ctrl_c().await;
    match told.and(interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(1, &error.to_string()),
    }
}

fn complain(code: u8, message: &str) -> ExitCode {
    // Nothing is left to tell that the terminal is gone.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(code)
}
