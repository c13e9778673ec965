-- When a record last was gone, or said another tag: what it says since did not begin before.
CREATE INDEX tag_history_ends ON ops.tag_history (did, rkey, until_rev) WHERE NOT moved;

UPDATE ops.tag_history h SET since = ended.until
FROM (SELECT did, repository, tag, rkey, until_rev,
             max(CASE WHEN NOT moved THEN until END) OVER (PARTITION BY did, rkey ORDER BY until_rev
                                                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
      FROM ops.tag_history) ended
WHERE (h.did, h.repository, h.tag, h.rkey, h.until_rev)
    = (ended.did, ended.repository, ended.tag, ended.rkey, ended.until_rev)
  AND h.since < ended.until;
