-- Since when a job has been waiting for somebody else, who is slow; NULL: it does not.
ALTER TABLE ops.job ADD waits_since timestamptz;
