use store::StoreError;

/// Why the indexer ends. What the network sends never ends it.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// Nothing to read from.
    #[error("no source is configured: name one with --source")]
    NoSource,
    /// The store failed in a way that trying again does not mend.
    #[error("the index cannot be written")]
    Store(#[from] StoreError),
    /// The network does not answer.
    #[error("the network does not answer: {0}")]
    Network(String),
    /// A task of ours panicked.
    #[error("a part of the indexer crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

impl IndexerError {
    /// Whether the writer should stand back and come again: Postgres went away, or another process took over.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient() || matches!(error, StoreError::Fenced { .. }))
    }
}
