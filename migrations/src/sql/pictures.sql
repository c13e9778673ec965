-- Signs the addresses of pictures, so that every process of this index knows those of the others. Made once, from 244 random bits.
CREATE TABLE ops.picture_key (
    id integer PRIMARY KEY CHECK (id = 1),
    key text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO ops.picture_key (id, key) VALUES (1, gen_random_uuid()::text || gen_random_uuid()::text);
