INSERT INTO repository AS r (did, name, pullable, manifests, tags, pages, title, summary, licenses, source, avatar_cid,
                             latest_tag, latest_digest, created_at, updated_at, search)
SELECT t.did, t.name, t.pullable, m.manifests,
       CASE WHEN latest.records > 1 THEN (SELECT count(DISTINCT tag) FROM tag WHERE did = t.did AND repository = t.name)
            ELSE coalesce(latest.records, 0) END,
       coalesce(page.pages, 0),
       left(about.annotations ->> 'org.opencontainers.image.title', 200),
       coalesce(left(about.annotations ->> 'org.opencontainers.image.description', 500), page.summary),
       left(about.annotations ->> 'org.opencontainers.image.licenses', 200),
       left(about.annotations ->> 'org.opencontainers.image.source', 500),
       page.avatar_cid, latest.tag, coalesce(latest.manifest_digest, about.digest), m.oldest,
       greatest(m.newest, latest.newest),
       left(lower(concat_ws(' ', t.name, about.annotations ->> 'org.opencontainers.image.title',
                            about.annotations ->> 'org.opencontainers.image.description', page.summary)), 2000)
FROM unnest($1::text[], $2::text[], $3::bool[]) t (did, name, pullable)
CROSS JOIN LATERAL (SELECT count(*) manifests, min(created_at) oldest, max(created_at) newest
                    FROM manifest WHERE did = t.did AND repository = t.name) m
LEFT JOIN LATERAL (SELECT summary, avatar_cid, count(*) OVER () pages FROM page WHERE did = t.did AND repository = t.name
                   ORDER BY updated_at DESC NULLS LAST, rkey DESC LIMIT 1) page ON true
-- The tag that people mean: `latest`, or else the newest one.
LEFT JOIN LATERAL (SELECT tag, manifest_rkey, manifest_digest, count(*) OVER () records, max(updated_at) OVER () newest
                   FROM tag WHERE did = t.did AND repository = t.name
                   ORDER BY tag = 'latest' DESC, updated_at DESC NULLS LAST, tag DESC, rkey DESC
                   LIMIT 1) latest ON true
-- Its manifest speaks for the repository; without one, the newest that is about nothing else.
LEFT JOIN LATERAL (SELECT annotations, digest, rkey FROM manifest
                   WHERE did = t.did AND rkey = CASE
                       WHEN latest.manifest_digest IS NULL THEN latest.manifest_rkey
                       ELSE (SELECT rkey FROM manifest WHERE did = t.did AND digest = latest.manifest_digest
                             ORDER BY subject IS NOT NULL, created_at DESC NULLS LAST, rkey DESC LIMIT 1) END) tagged ON true
LEFT JOIN LATERAL (SELECT annotations, digest FROM manifest
                   WHERE tagged.rkey IS NULL AND did = t.did AND repository = t.name
                   ORDER BY subject IS NOT NULL, created_at DESC NULLS LAST, rkey DESC LIMIT 1) newest ON true
CROSS JOIN LATERAL (SELECT coalesce(tagged.annotations, newest.annotations) annotations,
                           coalesce(tagged.digest, newest.digest) digest) about
ON CONFLICT (did, name) DO UPDATE
SET pullable = excluded.pullable, manifests = excluded.manifests, tags = excluded.tags, pages = excluded.pages,
    title = excluded.title, summary = excluded.summary, licenses = excluded.licenses, source = excluded.source,
    avatar_cid = excluded.avatar_cid, latest_tag = excluded.latest_tag, latest_digest = excluded.latest_digest,
    created_at = excluded.created_at, updated_at = excluded.updated_at, search = excluded.search
-- What comes to the same is not written again, nor are its indexes.
WHERE (r.pullable, r.manifests, r.tags, r.pages, r.title, r.summary, r.licenses, r.source, r.avatar_cid, r.latest_tag,
       r.latest_digest, r.created_at, r.updated_at, r.search)
      IS DISTINCT FROM
      (excluded.pullable, excluded.manifests, excluded.tags, excluded.pages, excluded.title, excluded.summary,
       excluded.licenses, excluded.source, excluded.avatar_cid, excluded.latest_tag, excluded.latest_digest,
       excluded.created_at, excluded.updated_at, excluded.search)
