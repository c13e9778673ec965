//! `crowsnest-devnet DIRECTORY [--live]`: a devnet by itself, until it is interrupted. One line of JSON, the manifest,
//! says that it serves and where.

use std::{io::Write as _, process::ExitCode};

use crowsnest_devnet::{Devnet, DevnetConfig};

#[tokio::main]
async fn main() -> ExitCode {
    let mut directory = None;
    let mut live = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--live" => live = true,
            other if !other.starts_with('-') && directory.is_none() => directory = Some(argument),
            _ => return complain(2, "usage: crowsnest-devnet DIRECTORY [--live]"),
        }
    }
    let Some(directory) = directory else { return complain(2, "usage: crowsnest-devnet DIRECTORY [--live]") };
    let devnet = match Devnet::start(DevnetConfig { live, ..DevnetConfig::new(directory) }).await {
        Ok(devnet) => devnet,
        Err(error) => return complain(2, &error.to_string()),
    };
    let manifest = serde_json::to_string(&devnet.manifest()).unwrap_or_default();
    let told = writeln!(std::io::stdout(), "{manifest}");
    let interrupted = tokio::signal::ctrl_c().await;
    devnet.shutdown().await;
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
