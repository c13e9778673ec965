INSERT INTO repository AS r (did, name, pullable, manifests, tags, pages, title, summary, licenses, source, avatar_cid,
                             latest_tag, latest_digest, created_at, updated_at, search)
SELECT t.did, t.name, t.pullable, m.manifests, g.tags, p.pages,
       left(about.annotations ->> 'org.opencontainers.image.title', 200),
       coalesce(left(about.annotations ->> 'org.opencontainers.image.description', 500), page.summary),
       left(about.annotations ->> 'org.opencontainers.image.licenses', 200),
       left(about.annotations ->> 'org.opencontainers.image.source', 500),
       page.avatar_cid, latest.tag, coalesce(latest.digest, about.digest), m.oldest, greatest(m.newest, g.newest),
       left(lower(concat_ws(' ', t.name, about.annotations ->> 'org.opencontainers.image.title',
                            about.annotations ->> 'org.opencontainers.image.description', page.summary)), 2000)
FROM unnest($1::text[], $2::text[], $3::bool[]) t (did, name, pullable)
CROSS JOIN LATERAL (SELECT count(*) manifests, min(created_at) oldest, max(created_at) newest
                    FROM manifest WHERE did = t.did AND repository = t.name) m
CROSS JOIN LATERAL (SELECT count(DISTINCT tag) tags, max(updated_at) newest
                    FROM tag WHERE did = t.did AND repository = t.name) g
CROSS JOIN LATERAL (SELECT count(*) pages FROM page WHERE did = t.did AND repository = t.name) p
LEFT JOIN LATERAL (SELECT summary, avatar_cid FROM page WHERE did = t.did AND repository = t.name
                   ORDER BY updated_at DESC NULLS LAST, rkey DESC LIMIT 1) page ON true
-- The tag that people mean: `latest`, or else the newest one.
LEFT JOIN LATERAL (SELECT tag.tag, tag.manifest_rkey, tag.manifest_digest bare_digest,
                          coalesce(named.digest, tag.manifest_digest) digest
                   FROM tag LEFT JOIN manifest named ON named.did = tag.did AND named.rkey = tag.manifest_rkey
                   WHERE tag.did = t.did AND tag.repository = t.name
                   ORDER BY tag.tag = 'latest' DESC, tag.updated_at DESC NULLS LAST, tag.tag DESC, tag.rkey DESC
                   LIMIT 1) latest ON true
-- Its manifest speaks for the repository; without one, the newest that is about nothing else.
LEFT JOIN LATERAL (SELECT annotations, digest FROM manifest
                   WHERE did = t.did AND (rkey = latest.manifest_rkey OR digest = latest.bare_digest OR repository = t.name)
                   ORDER BY coalesce(rkey = latest.manifest_rkey, digest = latest.bare_digest, false) DESC,
                            subject IS NOT NULL, created_at DESC NULLS LAST, rkey DESC
                   LIMIT 1) about ON true
ON CONFLICT (did, name) DO UPDATE
SET pullable = excluded.pullable, manifests = excluded.manifests, tags = excluded.tags, pages = excluded.pages,
    title = excluded.title, summary = excluded.summary, licenses = excluded.licenses, source = excluded.source,
    avatar_cid = excluded.avatar_cid, latest_tag = excluded.latest_tag, latest_digest = excluded.latest_digest,
    created_at = excluded.created_at, updated_at = excluded.updated_at, search = excluded.search
