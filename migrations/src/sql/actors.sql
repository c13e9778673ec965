-- Holds, read and followed at their own servers.
CREATE TABLE obs.hold_stream (
    did text COLLATE "C" PRIMARY KEY,
    -- 0: a manifest, a profile or a declaration names it; n: the n-th successor of such a hold.
    depth smallint NOT NULL,
    -- Where the stream is, and how far it was read; the one means nothing without the other.
    endpoint text,
    position bigint,
    failures integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX hold_stream_due ON obs.hold_stream (next_at);

-- Since when an account is said to be deleted, and when what it left was removed.
ALTER TABLE obs.actor ADD gone_at timestamptz, ADD purged_at timestamptz;

-- A handle has one holder: where two had it, both have to prove it again.
UPDATE obs.actor a SET handle = NULL, handle_checked_at = NULL
WHERE EXISTS (SELECT FROM obs.actor b WHERE b.handle = a.handle AND b.did <> a.did);
DROP INDEX obs.actor_handle;
CREATE UNIQUE INDEX actor_handle ON obs.actor (handle) WHERE handle IS NOT NULL;
