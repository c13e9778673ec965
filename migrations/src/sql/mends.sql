-- The moment of a TID: its first eleven characters count microseconds. One expression, so that it is inlined.
CREATE FUNCTION ops.tid_time(tid text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT timestamptz '1970-01-01 00:00:00+00' + (
        ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 1, 1)) - 1)::bigint << 50)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 2, 1)) - 1)::bigint << 45)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 3, 1)) - 1)::bigint << 40)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 4, 1)) - 1)::bigint << 35)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 5, 1)) - 1)::bigint << 30)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 6, 1)) - 1)::bigint << 25)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 7, 1)) - 1)::bigint << 20)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 8, 1)) - 1)::bigint << 15)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 9, 1)) - 1)::bigint << 10)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 10, 1)) - 1)::bigint << 5)
        + ((strpos('234567abcdefghijklmnopqrstuvwxyz', substr(tid, 11, 1)) - 1)::bigint << 0)
    ) * interval '1 microsecond'
$$;

-- Whether the tag was pointed at something else, and not removed: then what follows begins when this ended. Times are those of
-- revisions, and not what the owner's clock said.
ALTER TABLE ops.tag_history ADD COLUMN moved boolean NOT NULL DEFAULT false;
UPDATE ops.tag_history SET moved = until IS NOT NULL, until = ops.tid_time(until_rev);
UPDATE ops.tag_history h SET since = coalesce(before.until, CASE WHEN h.since IS NOT NULL THEN least(h.since, h.until) END)
FROM (SELECT did, repository, tag, rkey, until_rev,
             CASE WHEN lag(moved) OVER same THEN lag(until) OVER same END AS until
      FROM ops.tag_history WINDOW same AS (PARTITION BY did, repository, tag, rkey ORDER BY until_rev)) before
WHERE (h.did, h.repository, h.tag, h.rkey, h.until_rev)
    = (before.did, before.repository, before.tag, before.rkey, before.until_rev);

-- The digests of manifests' records that went while tags pointed at them.
CREATE TABLE ops.gone_manifest (
    did text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (did, rkey)
);

-- Whether the whole network is to be read once more when this reading ends.
ALTER TABLE ops.backfill ADD COLUMN again boolean NOT NULL DEFAULT false;

-- Whether somebody lists the account, or left records of it: not so a hold that somebody made up.
ALTER TABLE ops.unread ADD COLUMN expected boolean NOT NULL DEFAULT true;
