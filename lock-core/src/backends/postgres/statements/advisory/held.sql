-- All that is held under a prefix: the rows of which some session has the lock. The number of the lock is in the row's id.
WITH locks AS ({row})
SELECT held.key, held.owner, held.token, held.last_token, CAST(1 AS bigint),
       CAST(extract(epoch FROM held.acquired_at) * 1000000 AS bigint), held.host, held.pid,
       CAST(0 AS bigint), CAST(0 AS bigint)
FROM {table} AS held
WHERE starts_with(held.key, :prefix) AND starts_with(held.id, 'advisory:')
  AND CAST(CAST('x' || substr(held.id, 10, 16) AS bit(64)) AS bigint) IN (SELECT number FROM locks)
ORDER BY held.key
