-- How often images were pulled through us. Who pulled is not kept.
CREATE TABLE ops.pull_count (
    did text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    -- Empty: all pulls of the repository, those by digest too.
    tag text COLLATE "C" NOT NULL,
    pulls bigint NOT NULL,
    last_pull_at timestamptz NOT NULL,
    PRIMARY KEY (did, repository, tag)
) WITH (fillfactor = 70);

CREATE TABLE ops.pull_day (
    did text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    day date NOT NULL,
    pulls bigint NOT NULL,
    PRIMARY KEY (did, repository, day)
) WITH (fillfactor = 70);
