-- The table of leases, a row per key; rows are updated in place, which the spare room on each page is for.
CREATE TABLE IF NOT EXISTS {table} (
    id          text COLLATE "C" PRIMARY KEY, -- the SHA-256 of the key, in hexadecimal digits
    key         text NOT NULL,
    owner       text NOT NULL,                -- of the last grant
    token       bigint NOT NULL,              -- its fencing token
    last_token  bigint NOT NULL,              -- the highest that was ever given out
    acquired_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,         -- held until then, by the clock of the server
    host        text NOT NULL,
    pid         bigint NOT NULL,
    waiters     text NOT NULL                 -- owners in line, each between two separators (U+001F)
) WITH (fillfactor = 50)
