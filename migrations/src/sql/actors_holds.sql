INSERT INTO obs.hold_stream (did, depth)
SELECT hold, 0 FROM (SELECT hold FROM manifest UNION SELECT hold FROM hold UNION SELECT default_hold FROM profile) named
WHERE hold IS NOT NULL ON CONFLICT DO NOTHING
