CREATE SCHEMA ops;

-- The writer's fence: whoever holds the advisory lock raises the epoch, and applies only while it stands.
CREATE TABLE ops.writer (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO ops.writer DEFAULT VALUES;

CREATE TABLE ops.current_generation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation integer NOT NULL
);

CREATE TABLE ops.cursor (
    source text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    safe_time bigint,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What other processes found (read-through, own stars), for the writer to apply.
CREATE TABLE ops.inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    did text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    rev text COLLATE "C" NOT NULL,
    cid bytea,
    raw bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Work that leaves Postgres.
CREATE TABLE ops.job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    priority smallint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT now(),
    locked_until timestamptz,
    again boolean NOT NULL DEFAULT false,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, key)
);
CREATE INDEX job_due ON ops.job (priority DESC, run_at);

CREATE TABLE ops.reject (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    did text COLLATE "C",
    reason text NOT NULL,
    detail text NOT NULL,
    raw bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reject_account ON ops.reject (did, created_at);
CREATE INDEX reject_age ON ops.reject (created_at);

CREATE TABLE ops.change_log (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation integer NOT NULL,
    keys text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX change_log_age ON ops.change_log (created_at);

-- How far the reading of a whole network has come; its steps are jobs.
CREATE TABLE ops.backfill (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    listed_at timestamptz,
    finished_at timestamptz
);
