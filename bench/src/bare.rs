//! The reference: axum that answers everything with the same bytes and headers, and does nothing else.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::IntoResponse,
};
use bytes::Bytes;
use tokio::net::TcpListener;

/// Arguments of the server that `pull` and `web` start.
#[derive(clap::Args)]
pub struct BareArgs {
    /// What to answer
    file: PathBuf,

    /// A header of the answer
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

/// Serves until it is killed; its address is printed first.
pub async fn serve(args: &BareArgs) -> Result<()> {
    let bytes = Bytes::from(std::fs::read(&args.file)?);
    let headers = args.headers.iter().map(|header| parse(header)).collect::<Result<HeaderMap>>()?;
    let answer = move || {
        let answer = (headers.clone(), bytes.clone());
        async move { answer.into_response() }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    axum::serve(listener, Router::new().fallback(answer)).await?;
    Ok(())
}

fn parse(header: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = header.split_once(": ").with_context(|| format!("{header}: no header"))?;
    Ok((name.parse()?, value.parse()?))
}
