SELECT r.did, r.name, r.stars, r.updated_at, coalesce(c.pulls, 0) AS pulls, r.title, r.summary, r.licenses, page.readme,
       ARRAY[latest.artifact_type, latest.config_type]
       || ARRAY(SELECT media_type FROM layer WHERE did = r.did AND rkey = latest.rkey ORDER BY position LIMIT 20) AS types,
       ARRAY(SELECT concat_ws('/', p.os, p.architecture, p.variant) FROM platform p
             WHERE p.did = r.did AND p.rkey = latest.rkey AND p.os IS NOT NULL
             UNION SELECT concat_ws('/', i.os, i.architecture, i.variant) FROM image_config i
             WHERE i.digest = latest.config_digest AND i.os IS NOT NULL) AS platforms,
       ARRAY(SELECT unnest(ARRAY[s.config_media_type, b.artifact_type]) FROM manifest s
             LEFT JOIN manifest_bytes b ON b.digest = s.digest
             WHERE s.did = r.did AND s.repository = r.name AND s.subject IS NOT NULL
             UNION SELECT l.media_type FROM manifest s JOIN layer l ON l.did = s.did AND l.rkey = s.rkey
             WHERE s.did = r.did AND s.repository = r.name AND s.subject IS NOT NULL
             -- What buildx puts beside the images of an index.
             UNION SELECT a.annotations ->> 'in-toto.io/predicate-type' FROM platform p JOIN blob_ref a ON a.manifest = p.digest
             WHERE p.did = r.did AND p.rkey = latest.rkey AND p.os IS NULL) AS evidence,
       ARRAY(SELECT tag FROM tag WHERE did = r.did AND repository = r.name AND tag >= 'sha256-' AND tag < 'sha256.' LIMIT 200) AS tags,
       -- A hold's word counts only while a manifest names the hold.
       EXISTS (SELECT FROM scan s JOIN manifest m ON m.did = s.owner AND m.digest = s.digest AND m.hold = s.did
               WHERE s.owner = r.did AND s.status = 'ok'
                 AND (s.digest = r.latest_digest
                      OR s.digest IN (SELECT p.digest FROM platform p WHERE p.did = r.did AND p.rkey = latest.rkey))) AS scanned,
       coalesce((SELECT h.public FROM hold h
                 WHERE h.hold = latest.hold
                   AND (h.captain OR NOT EXISTS (SELECT FROM hold other WHERE other.hold = h.hold
                                                 AND (other.captain OR other.owner <> h.owner)))
                 ORDER BY h.captain DESC, h.rkey LIMIT 1), false) AS public
FROM unnest($1::text[], $2::text[]) t (did, name)
JOIN repository r ON r.did = t.did AND r.name = t.name AND r.manifests > 0
LEFT JOIN pull_count c ON c.did = r.did AND c.repository = r.name AND c.tag = ''
LEFT JOIN LATERAL (SELECT left(description, 20000) AS readme FROM page WHERE did = r.did AND repository = r.name
                   ORDER BY updated_at DESC NULLS LAST, rkey DESC LIMIT 1) page ON true
LEFT JOIN LATERAL (SELECT m.rkey, m.hold, b.artifact_type, coalesce(b.config_media_type, m.config_media_type) AS config_type,
                          coalesce(b.config_digest, m.config_digest) AS config_digest
                   FROM manifest m LEFT JOIN manifest_bytes b ON b.digest = m.digest
                   WHERE m.did = r.did AND m.digest = r.latest_digest
                   ORDER BY m.repository = r.name DESC, m.rkey LIMIT 1) latest ON true
