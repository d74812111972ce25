-- Takes the key if it is free, and not kept for somebody who is first in line.
-- Invariant: a row that has not expired is never given to another owner, and a key's last token only ever grows.
INSERT INTO {table} AS held (id, key, owner, token, last_token, acquired_at, expires_at, host, pid, waiters)
SELECT :id, :key, :owner, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint),
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) + :reserve - 1,
       clock_timestamp(), clock_timestamp() + :ttl * interval '1 microsecond', :host, :pid, ''
ON CONFLICT (id) DO UPDATE SET
    owner = excluded.owner,
    token = greatest(held.last_token + 1, excluded.token),
    last_token = greatest(held.last_token + 1, excluded.token) + :reserve - 1,
    acquired_at = clock_timestamp(),
    expires_at = clock_timestamp() + :ttl * interval '1 microsecond',
    host = excluded.host,
    pid = excluded.pid,
    -- All in line up to the owner have had their turn; if he is not in line, the first of it has missed his.
    waiters = CASE
        WHEN held.waiters = '' THEN ''
        WHEN strpos(held.waiters, :entry) > 0
            THEN substr(held.waiters, strpos(held.waiters, :entry) + length(:entry))
        ELSE substr(held.waiters, strpos(substr(held.waiters, 2), chr(31)) + 2)
    END
WHERE held.expires_at <= clock_timestamp()
  AND (held.waiters = '' OR starts_with(held.waiters, :entry)
       OR held.expires_at + :window * interval '1 microsecond' <= clock_timestamp())
RETURNING token, last_token
