-- Who holds a key: its row, if some session has the lock.
WITH locks AS ({row})
SELECT held.key, held.owner, held.token, held.last_token, CAST(1 AS bigint),
       CAST(extract(epoch FROM held.acquired_at) * 1000000 AS bigint), held.host, held.pid,
       CAST(0 AS bigint), CAST(0 AS bigint)
FROM {table} AS held WHERE held.id = :id AND :lock IN (SELECT number FROM locks)
