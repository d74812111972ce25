-- Makes the row of a key that nobody has used yet, for a transaction to lock.
INSERT INTO {table} (id, key, owner, token, last_token, acquired_at, expires_at, host, pid, waiters)
SELECT :id, :key, '', 0, 0, to_timestamp(0), to_timestamp(0), '', 0, ''
WHERE NOT EXISTS (SELECT FROM {table} WHERE id = :id)
ON CONFLICT (id) DO NOTHING
RETURNING 1
