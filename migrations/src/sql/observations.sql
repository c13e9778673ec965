CREATE SCHEMA IF NOT EXISTS ext;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA ext;
CREATE SCHEMA obs;

-- Everyone whom a record names: authors, owners of starred repositories, holds.
CREATE TABLE obs.actor (
    did text COLLATE "C" PRIMARY KEY,
    handle text COLLATE "C",
    handle_checked_at timestamptz,
    pds text,
    hold_endpoint text,
    active boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'unknown',
    status_checked_at timestamptz,
    floor_rev text COLLATE "C",
    first_seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX actor_handle ON obs.actor (handle) WHERE handle IS NOT NULL;
CREATE INDEX actor_handle_trgm ON obs.actor USING gin (handle ext.gin_trgm_ops);
CREATE INDEX actor_checked ON obs.actor (handle_checked_at NULLS FIRST);

-- Hashed before they are stored: the bytes served under a digest.
CREATE TABLE obs.manifest_bytes (
    digest text COLLATE "C" PRIMARY KEY,
    media_type text,
    artifact_type text,
    config_digest text COLLATE "C",
    config_media_type text,
    subject text COLLATE "C",
    bytes bytea NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX manifest_bytes_config ON obs.manifest_bytes (config_digest);

-- What those bytes refer to, in their order.
CREATE TABLE obs.blob_ref (
    manifest text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    role text NOT NULL CHECK (role IN ('config', 'layer', 'manifest')),
    digest text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    os text,
    architecture text,
    variant text,
    annotations jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (manifest, position)
);
CREATE INDEX blob_ref_digest ON obs.blob_ref (digest, manifest);

-- Image configurations of public holds, hashed before they are stored.
CREATE TABLE obs.image_config (
    digest text COLLATE "C" PRIMARY KEY,
    os text,
    architecture text,
    variant text,
    created_at timestamptz,
    bytes bytea NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE obs.hold_health (
    did text COLLATE "C" PRIMARY KEY,
    reachable boolean NOT NULL,
    detail text,
    since timestamptz NOT NULL DEFAULT now(),
    checked_at timestamptz NOT NULL DEFAULT now(),
    last_reachable_at timestamptz
);
