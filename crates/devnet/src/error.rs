use std::path::PathBuf;

/// Why the devnet could not start, or refused an operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory of the devnet's could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A port that this devnet used before is taken, and its holds' DIDs contain it.
    #[error(
        "port {port} of the devnet's {server} is taken ({source}): end what listens there, or begin a new devnet in \
         another data directory"
    )]
    PortTaken {
        /// Which server.
        server: String,
        /// Its port.
        port: u16,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The operation log holds a complete line that is not an operation.
    #[error("line {line} of the operation log is damaged: {source}")]
    Log {
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The data directory belongs to a devnet of another seed.
    #[error("the data directory holds a devnet of seed {found}, not {wanted}: use another directory")]
    OtherSeed {
        /// The directory's seed.
        found: u64,
        /// The configured one.
        wanted: u64,
    },
    /// A signing key could not be derived or used.
    #[error("signing key: {0}")]
    Key(#[from] atrium_crypto::Error),
    /// A name that the devnet made, or was given, is none.
    #[error(transparent)]
    Name(#[from] types::NameError),
    /// A value has no DAG-CBOR form.
    #[error("does not encode as DAG-CBOR: {0}")]
    Encode(String),
    /// A request that a PDS refuses: an XRPC error name and a sentence.
    #[error("{name}: {message}")]
    Refused {
        /// The XRPC error name, e.g. `RecordNotFound`.
        name: &'static str,
        /// For people.
        message: String,
    },
}

/// What the devnet's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn refused(name: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { name, message: message.into() }
    }
}
