-- The table of leases, a row per key. Owners are bytes, as no collation of text that both servers have tells `a` from `a `.
CREATE TABLE IF NOT EXISTS {table} (
    id          CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, -- the SHA-256 of the key, in hexadecimal digits
    `key`       TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    owner       VARBINARY(255) NOT NULL,  -- of the last grant
    token       BIGINT NOT NULL,          -- its fencing token
    last_token  BIGINT NOT NULL,          -- the highest that was ever given out
    acquired_at DATETIME(6) NOT NULL,     -- as all times here, in UTC
    expires_at  DATETIME(6) NOT NULL,     -- held until then, by the clock of the server
    host        VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    pid         BIGINT NOT NULL,
    waiters     BLOB NOT NULL             -- owners in line, each between two separators (U+001F)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC
