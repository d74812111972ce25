-- Removes keys that nobody has used for long, a thousand rows at a time from some id on: the table may be large.
-- Invariant: the tokens of such a key are below the time of day, from which its next one is taken.
DELETE FROM {table}
WHERE id IN (SELECT id FROM {table} WHERE id >= :id ORDER BY id LIMIT 1000)
  AND expires_at < clock_timestamp() - :kept * interval '1 microsecond'
RETURNING 1
