//! The reference: axum that answers everything with the same bytes and headers, and does nothing else.

use std::{io::Write as _, path::PathBuf};

use anyhow::Result;
use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    },
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;
use tokio::net::TcpListener;
use types::Digest;

use super::image::MANIFEST;

/// Arguments of the server that `pull` starts.
#[derive(clap::Args)]
pub struct BareArgs {
    /// What to answer
    file: PathBuf,
}

/// Serves until it is killed; its address is printed first.
pub async fn serve(args: &BareArgs) -> Result<()> {
    let bytes = Bytes::from(std::fs::read(&args.file)?);
    let digest = Digest::sha256(&bytes);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MANIFEST)),
        (HeaderName::from_static("docker-content-digest"), HeaderValue::from_str(digest.as_str())?),
        (ETAG, HeaderValue::from_str(&format!("\"{digest}\""))?),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    let answer = move || {
        let answer = (headers.clone(), bytes.clone());
        async move { answer.into_response() }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    axum::serve(listener, Router::new().route("/v2/{*path}", get(answer))).await?;
    Ok(())
}
