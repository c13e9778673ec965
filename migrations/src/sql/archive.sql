-- Every event in scope as it came, in compressed chunks, one an applied batch. A partition a day, so that age costs no scan.
CREATE SEQUENCE ops.archive_seq;
CREATE TABLE ops.archive (
    day date NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('ops.archive_seq'),
    origin text COLLATE "C" NOT NULL,
    source text COLLATE "C",
    first_position bigint,
    last_position bigint,
    events integer NOT NULL,
    -- Whose events are in it: what a purge and a replay of one account look for. '' stands for events of nobody.
    dids text[] COLLATE "C" NOT NULL,
    -- What became of each part of each event, in their order: a byte is an index into the names.
    verdict_names text[] NOT NULL,
    verdicts bytea NOT NULL,
    -- How many bytes the chunk unpacks to.
    raw_size bigint NOT NULL,
    bytes bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, seq)
) PARTITION BY RANGE (day);
-- It is compressed already.
ALTER TABLE ops.archive ALTER bytes SET STORAGE EXTERNAL;

-- What accounts used up of their daily quotas, written once they have used a part of one that is worth a row.
CREATE TABLE ops.quota (
    did text COLLATE "C" NOT NULL,
    day date NOT NULL,
    records bigint NOT NULL,
    record_bytes bigint NOT NULL,
    archive_bytes bigint NOT NULL,
    rejects bigint NOT NULL,
    PRIMARY KEY (day, did)
);
