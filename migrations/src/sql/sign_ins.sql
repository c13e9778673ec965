-- Sessions of readers at their own PDS, each sealed with a key that follows from the token's id and the service's key file:
-- nothing here says whose they are.
CREATE TABLE ops.registry_session (
    id bytea PRIMARY KEY,
    sealed bytea NOT NULL,
    -- Grows with every refresh: refresh tokens are good for once.
    version integer NOT NULL DEFAULT 1,
    -- Until then one process alone refreshes it.
    leased_until timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX registry_session_expiry ON ops.registry_session (expires_at);
