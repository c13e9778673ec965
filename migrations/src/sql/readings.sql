-- Whether a reading is part of that of the whole network.
ALTER TABLE ops.job ADD COLUMN backfill boolean NOT NULL DEFAULT false;

-- How many accounts could not be read in a gap's place so far; NULL until each was tried.
ALTER TABLE ops.gap ADD COLUMN missing bigint;

-- Accounts that nobody serves, as their reading found a short while ago: for whoever asked for it.
CREATE TABLE ops.unread (
    did text COLLATE "C" PRIMARY KEY,
    reason text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
