-- The ledger: the newest bytes of every record, for ever; deletions too.
CREATE TABLE IF NOT EXISTS record (
    did text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    rev text COLLATE "C" NOT NULL,
    cid bytea,
    state text NOT NULL CHECK (state IN ('ok', 'invalid', 'deleted')),
    decoder integer NOT NULL,
    reason text,
    raw bytea,
    verification text CHECK (verification IN ('mismatch', 'unverifiable', 'cid-checked', 'signed')),
    PRIMARY KEY (did, collection, rkey)
);
CREATE INDEX IF NOT EXISTS record_invalid ON record (did) WHERE state = 'invalid';

-- The sum of the hashes of an account's live records, and their number.
-- Half of each page is left for the next version of its rows, which every batch of their accounts writes.
CREATE TABLE IF NOT EXISTS fingerprint (
    did text COLLATE "C" PRIMARY KEY,
    sum bytea NOT NULL CHECK (length(sum) = 32),
    live bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS manifest (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'index')),
    hold text COLLATE "C",
    legacy_endpoint text,
    config_digest text COLLATE "C",
    config_media_type text,
    subject text COLLATE "C",
    size bigint NOT NULL,
    blob_cid text COLLATE "C",
    annotations jsonb NOT NULL,
    created_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS manifest_repository ON manifest (did, repository, created_at DESC NULLS LAST);
-- By what it holds, whoever's it is, and within one account.
CREATE INDEX IF NOT EXISTS manifest_digest ON manifest (digest, did);
CREATE INDEX IF NOT EXISTS manifest_subject ON manifest (did, subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS manifest_hold ON manifest (hold, did, repository) WHERE hold IS NOT NULL;

CREATE TABLE IF NOT EXISTS layer (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    digest text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    PRIMARY KEY (did, rkey, position)
);

-- The entries of an index; an attestation has no platform.
CREATE TABLE IF NOT EXISTS platform (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    digest text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    os text,
    architecture text,
    variant text,
    PRIMARY KEY (did, rkey, position)
);
CREATE INDEX IF NOT EXISTS platform_digest ON platform (did, digest);

CREATE TABLE IF NOT EXISTS tag (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    manifest_rkey text COLLATE "C",
    manifest_digest text COLLATE "C",
    updated_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS tag_name ON tag (did, repository, tag, updated_at DESC NULLS LAST, rkey DESC);
-- The account last: it alone must not look like a way to the tags of a repository.
CREATE INDEX IF NOT EXISTS tag_manifest ON tag (manifest_rkey, did);
CREATE INDEX IF NOT EXISTS tag_digest ON tag (manifest_digest, did) WHERE manifest_digest IS NOT NULL;

CREATE TABLE IF NOT EXISTS star (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    created_at timestamptz,
    PRIMARY KEY (did, rkey)
);

-- Several star records of one account for one repository count once.
CREATE TABLE IF NOT EXISTS star_edge (
    owner text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    did text COLLATE "C" NOT NULL,
    records integer NOT NULL CHECK (records > 0),
    PRIMARY KEY (owner, repository, did)
);
CREATE INDEX IF NOT EXISTS star_edge_giver ON star_edge (did, owner, repository);

CREATE TABLE IF NOT EXISTS hold (
    did text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    hold text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    captain boolean NOT NULL,
    endpoint text,
    public boolean NOT NULL,
    allow_all_crew boolean NOT NULL,
    region text,
    successor text COLLATE "C",
    deployed_at timestamptz,
    PRIMARY KEY (did, collection, rkey)
);
CREATE INDEX IF NOT EXISTS hold_name ON hold (hold);

CREATE TABLE IF NOT EXISTS crew (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    hold text COLLATE "C",
    declaration_rkey text COLLATE "C",
    member text COLLATE "C",
    pattern text,
    role text,
    permissions text[] NOT NULL,
    added_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS crew_hold ON crew (hold, member);

CREATE TABLE IF NOT EXISTS hold_stats (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    pulls bigint NOT NULL,
    pushes bigint NOT NULL,
    last_pull timestamptz,
    updated_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS hold_stats_repository ON hold_stats (owner, repository);

CREATE TABLE IF NOT EXISTS scan (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    manifest_rkey text COLLATE "C" NOT NULL,
    status text NOT NULL,
    reason text,
    critical bigint NOT NULL,
    high bigint NOT NULL,
    medium bigint NOT NULL,
    low bigint NOT NULL,
    total bigint NOT NULL,
    scanner text,
    scanned_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS scan_manifest ON scan (owner, digest);

CREATE TABLE IF NOT EXISTS profile (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    default_hold text COLLATE "C",
    oci_client text,
    registry_domain text,
    PRIMARY KEY (did, rkey)
);

CREATE TABLE IF NOT EXISTS page (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    description text,
    summary text,
    avatar_cid text COLLATE "C",
    avatar_type text,
    updated_at timestamptz,
    PRIMARY KEY (did, rkey)
);
CREATE INDEX IF NOT EXISTS page_repository ON page (did, repository);

-- Derived: there is a row while a manifest, a tag, a page or a star names the repository.
CREATE TABLE IF NOT EXISTS repository (
    did text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    pullable boolean NOT NULL,
    manifests integer NOT NULL DEFAULT 0,
    tags integer NOT NULL DEFAULT 0,
    pages integer NOT NULL DEFAULT 0,
    stars integer NOT NULL DEFAULT 0,
    -- Of accounts that are hidden.
    hidden_stars integer NOT NULL DEFAULT 0,
    title text,
    summary text,
    licenses text,
    source text,
    avatar_cid text COLLATE "C",
    latest_tag text COLLATE "C",
    latest_digest text COLLATE "C",
    created_at timestamptz,
    updated_at timestamptz,
    search text NOT NULL DEFAULT '',
    PRIMARY KEY (did, name)
);
CREATE INDEX IF NOT EXISTS repository_updated ON repository (updated_at DESC NULLS LAST, did, name) WHERE manifests > 0;
CREATE INDEX IF NOT EXISTS repository_stars ON repository (stars DESC, did, name) WHERE manifests > 0;
