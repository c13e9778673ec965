-- How far behind the network the index was, at worst, in each minute that an indexer ran.
CREATE TABLE ops.lag (
    minute timestamptz PRIMARY KEY,
    worst_ms bigint NOT NULL
);
CREATE INDEX reject_reason ON ops.reject (reason, created_at);
