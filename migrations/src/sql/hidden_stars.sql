ALTER TABLE repository ADD hidden_stars integer NOT NULL DEFAULT 0;
UPDATE repository r SET stars = r.stars - hidden.n, hidden_stars = hidden.n
FROM (SELECT e.owner, e.repository, count(*)::integer AS n
      FROM star_edge e JOIN obs.actor a ON a.did = e.did AND NOT a.active GROUP BY 1, 2) hidden
WHERE r.did = hidden.owner AND r.name = hidden.repository
