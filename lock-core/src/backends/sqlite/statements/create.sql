-- The table of leases, a row per key. Times are whole numbers of microseconds.
CREATE TABLE IF NOT EXISTS {table} (
    id          TEXT NOT NULL PRIMARY KEY, -- the SHA-256 of the key, in hexadecimal digits
    key         TEXT NOT NULL,
    owner       TEXT NOT NULL,             -- of the last grant
    token       INTEGER NOT NULL,          -- its fencing token
    last_token  INTEGER NOT NULL,          -- the highest that was ever given out
    acquired_at INTEGER NOT NULL,          -- since 1970
    expires_at  INTEGER NOT NULL,          -- held until then, counted from the start of the machine
    boot        TEXT NOT NULL,             -- which start that was: under another one, the lease is over
    host        TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    waiters     TEXT NOT NULL              -- owners in line, each between two separators (U+001F)
) WITHOUT ROWID
