-- What the indexer says of the sources that it is told to read, for other processes.
CREATE TABLE ops.source (
    url text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL,
    preference integer NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    heard_at timestamptz
);

-- Where a stream could not give what we missed, and when repositories were read in its place.
CREATE TABLE ops.gap (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    from_position bigint,
    to_position bigint,
    since timestamptz,
    until timestamptz,
    detected_at timestamptz NOT NULL DEFAULT now(),
    repaired_at timestamptz
);
