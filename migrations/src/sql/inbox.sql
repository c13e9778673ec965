-- What a record was read out of, as it came, for the archive; nothing, where the record is all there is.
ALTER TABLE ops.inbox ADD form text COLLATE "C", ADD event bytea;
