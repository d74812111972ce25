-- Takes the lock of the session if nobody has it, and records who has.
-- Invariant: only who has the session's lock writes the row, and its last token only ever grows.
WITH got AS MATERIALIZED (SELECT pg_try_advisory_lock(:lock) AS it)
INSERT INTO {table} AS held (id, key, owner, token, last_token, acquired_at, expires_at, host, pid, waiters)
SELECT :id, :key, :owner, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint),
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) + :reserve - 1,
       clock_timestamp(), clock_timestamp(), :host, :pid, ''
FROM got WHERE it
ON CONFLICT (id) DO UPDATE SET
    owner = excluded.owner,
    token = greatest(held.last_token + 1, excluded.token),
    last_token = greatest(held.last_token + 1, excluded.token) + :reserve - 1,
    acquired_at = clock_timestamp(),
    expires_at = clock_timestamp(),
    host = excluded.host,
    pid = excluded.pid
RETURNING token, last_token
