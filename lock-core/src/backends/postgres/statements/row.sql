-- What is known of a key. Times in microseconds, as whole numbers.
held.key, held.owner, held.token, held.last_token,
CAST(extract(epoch FROM held.expires_at - clock_timestamp()) * 1000000 AS bigint),
CAST(extract(epoch FROM held.acquired_at) * 1000000 AS bigint),
held.host, CAST(held.pid AS bigint),
CAST(strpos(held.waiters, CAST(:entry AS text)) AS bigint), CAST(length(held.waiters) AS bigint)
