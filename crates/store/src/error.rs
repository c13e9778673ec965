use tokio_postgres::error::SqlState;

/// What can go wrong between crowsnest and Postgres. The one place where SQLSTATEs are read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres does not answer, or went away: try again.
    #[error("Postgres is not reachable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another process is the writer now: stop writing.
    #[error("another process took over as the writer (epoch {theirs}, ours was {ours})")]
    Fenced {
        /// The epoch that this writer took.
        ours: i64,
        /// The epoch that stands now.
        theirs: i64,
    },
    /// Postgres refuses a value: the data is at fault, not the machine.
    #[error("Postgres refused a value")]
    Data(#[source] tokio_postgres::Error),
    /// A statement of ours is wrong, or the schema is not the one that this program knows.
    #[error("a statement failed")]
    Statement(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what no row should: a name that does not parse.
    #[error("a row is not what it should be")]
    Row(#[from] types::NameError),
    /// The database URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
}

impl From<types::CidError> for StoreError {
    fn from(error: types::CidError) -> Self {
        Self::Statement(Box::new(error))
    }
}

impl From<types::UnknownVerification> for StoreError {
    fn from(error: types::UnknownVerification) -> Self {
        Self::Statement(Box::new(error))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else { return Self::Unavailable(Box::new(error)) };
        match state.code().get(..2) {
            // Data exceptions and integrity violations.
            Some("22" | "23") => Self::Data(error),
            // Connection exceptions, deadlocks, a full disk, locks not had, operator intervention, a server that starts or stops.
            Some("08" | "40" | "53" | "55" | "57") => Self::Unavailable(Box::new(error)),
            // This process was stopped for longer than its session may be silent.
            _ if *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Unavailable(Box::new(error)),
            // The row is too large for an index.
            _ if *state == SqlState::PROGRAM_LIMIT_EXCEEDED => Self::Data(error),
            _ => Self::Statement(Box::new(error)),
        }
    }
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        match error {
            sea_orm::DbErr::Conn(_) | sea_orm::DbErr::ConnectionAcquire(_) => Self::Unavailable(Box::new(error)),
            other => Self::Statement(Box::new(other)),
        }
    }
}

impl From<sea_orm::sqlx::Error> for StoreError {
    fn from(error: sea_orm::sqlx::Error) -> Self {
        use sea_orm::sqlx::Error;
        let is_there = match &error {
            // As above; a statement that took too long is at fault itself.
            Error::Database(said) => {
                let class = said.code().map(|code| code.chars().take(2).collect::<String>());
                !matches!(class.as_deref(), Some("08" | "53" | "57")) || said.code().as_deref() == Some("57014")
            }
            Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed | Error::PoolClosed => false,
            _ => true,
        };
        if is_there { Self::Statement(Box::new(error)) } else { Self::Unavailable(Box::new(error)) }
    }
}

impl StoreError {
    /// Whether the same call may succeed later without anyone's doing.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
