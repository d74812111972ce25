-- Removes keys that nobody has used for long, a thousand rows at a time from some id on: the table may be large.
-- Invariant: the tokens of such a key are below the time of day, from which its next one is taken.
-- They are found without a lock on all the others, and asked again when each is locked.
DELETE held FROM (
    SELECT part.id FROM (SELECT id, expires_at FROM {table} WHERE id >= :id ORDER BY id LIMIT 1000) AS part
    WHERE part.expires_at < UTC_TIMESTAMP(6) - INTERVAL :kept MICROSECOND
) AS unused STRAIGHT_JOIN {table} AS held ON held.id = unused.id
WHERE held.expires_at < UTC_TIMESTAMP(6) - INTERVAL :kept MICROSECOND AND held.last_token < {now}
