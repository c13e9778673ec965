-- What searching needs, derived from the tables above and from what the network told us. Kept by `store/search`, after the
-- transaction that changed what it is derived from; no part of the `view` fingerprint.

-- A repository that may be found, by a number that postings can hold.
CREATE TABLE IF NOT EXISTS search_doc (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    did text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- Stars, pulls and freshness, coarsely: the place within the postings of a word.
    static smallint NOT NULL,
    kind text NOT NULL,
    platforms text[] NOT NULL,
    licenses text[] NOT NULL,
    flags text[] NOT NULL,
    updated_at timestamptz,
    UNIQUE (did, name)
) WITH (fillfactor = 85);

-- Under which keys a repository is posted, so that they can be compared and taken back.
CREATE TABLE IF NOT EXISTS search_keys (
    doc integer PRIMARY KEY,
    keys text[] COLLATE "C" NOT NULL
);

-- The repositories of a key in the order of their static score. A key is a word of names (`/nginx`), of descriptions (`nginx`) or
-- of READMEs (`~nginx`), a whole name (`=nginx`), an owner (`@did:…`), a condition (`:kind=image`), or `*` for all.
CREATE TABLE IF NOT EXISTS search_posting (
    word text COLLATE "C" NOT NULL,
    static smallint NOT NULL,
    doc integer NOT NULL,
    PRIMARY KEY (word, static, doc)
);

-- How many repositories are posted under a key, whole names and owners left out.
CREATE TABLE IF NOT EXISTS search_word (
    word text COLLATE "C" PRIMARY KEY,
    documents integer NOT NULL,
    -- The number of binary digits of `documents`: it changes seldom, so that an index may have it.
    level smallint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS search_word_1 ON search_word (left(word, 2), level DESC, word) WHERE word >= '/' AND word < '0';
CREATE INDEX IF NOT EXISTS search_word_2 ON search_word (left(word, 3), level DESC, word) WHERE word >= '/' AND word < '0';
CREATE INDEX IF NOT EXISTS search_word_3 ON search_word (left(word, 4), level DESC, word) WHERE word >= '/' AND word < '0';
CREATE INDEX IF NOT EXISTS search_word_trgm ON search_word USING gin (word gin_trgm_ops) WHERE word >= '/' AND word < '0';

-- Words of names and descriptions by what is left of them when a letter is left out.
CREATE TABLE IF NOT EXISTS search_spelling (
    variant text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    PRIMARY KEY (variant, word)
);

-- Repositories that are to be looked at again.
CREATE TABLE IF NOT EXISTS search_dirty (
    did text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (did, name)
);

-- What of the change log was read: all that this snapshot sees.
CREATE TABLE IF NOT EXISTS search_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen pg_snapshot NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS repository_name ON repository (name, did) WHERE manifests > 0;
