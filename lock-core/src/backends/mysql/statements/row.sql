-- What is known of a key. Times in microseconds, as whole numbers.
held.`key`, CONVERT(held.owner USING utf8mb4), held.token, held.last_token,
TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), held.expires_at),
TIMESTAMPDIFF(MICROSECOND, '1970-01-01', held.acquired_at),
held.host, held.pid,
CAST(LOCATE(:entry, held.waiters) AS SIGNED), CAST(LENGTH(held.waiters) AS SIGNED)
