-- Makes the row of a key that nobody has used yet, for a transaction to lock. As one that was released just now: of what
-- was not used for long, nothing may be left by then. Says which table it is in.
WITH made AS (
    INSERT INTO {table} (id, key, owner, token, last_token, acquired_at, expires_at, host, pid, waiters)
    SELECT :id, :key, '', 0, 0, clock_timestamp(), clock_timestamp(), '', 0, ''
    WHERE NOT EXISTS (SELECT FROM {table} WHERE id = :id)
    ON CONFLICT (id) DO NOTHING
)
SELECT {place}
