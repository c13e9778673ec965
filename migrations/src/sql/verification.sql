-- What an earlier version stored was hashed, or could not be.
ALTER TABLE record ADD verification text CHECK (verification IN ('mismatch', 'unverifiable', 'cid-checked', 'signed'));
UPDATE record SET verification = 'unverifiable' WHERE state <> 'deleted'
