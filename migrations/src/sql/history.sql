-- What a tag pointed at before it was moved or removed; what it points at now is in the generation.
CREATE TABLE ops.tag_history (
    did text COLLATE "C" NOT NULL,
    repository text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    rkey text COLLATE "C" NOT NULL,
    -- The revision that ended it.
    until_rev text COLLATE "C" NOT NULL,
    manifest_rkey text COLLATE "C",
    digest text COLLATE "C",
    since timestamptz,
    until timestamptz,
    PRIMARY KEY (did, repository, tag, rkey, until_rev)
);

-- The stars of an account that is hidden do not count, in any generation, until it is shown again. The rows are locked in
-- the writer's order.
CREATE FUNCTION obs.move_stars() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    generation text;
BEGIN
    FOR generation IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^idx_[0-9]+$' LOOP
        EXECUTE format(
            'WITH starred AS (
                 SELECT r.did, r.name FROM %1$I.star_edge e JOIN %1$I.repository r ON r.did = e.owner AND r.name = e.repository
                 WHERE e.did = $1 ORDER BY r.did, r.name FOR UPDATE OF r)
             UPDATE %1$I.repository r SET stars = r.stars + $2, hidden_stars = r.hidden_stars - $2
             FROM starred s WHERE (r.did, r.name) = (s.did, s.name)', generation)
        USING NEW.did, CASE WHEN NEW.active THEN 1 ELSE -1 END;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER actor_active AFTER UPDATE OF active ON obs.actor
FOR EACH ROW WHEN (OLD.active IS DISTINCT FROM NEW.active) EXECUTE FUNCTION obs.move_stars();
