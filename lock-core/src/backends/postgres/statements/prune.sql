-- Removes keys that nobody has used for long.
-- Invariant: the tokens of such a key are below the time of day, from which its next one is taken.
WITH gone AS (
    DELETE FROM {table} WHERE id IN (
        SELECT id FROM {table} WHERE expires_at < clock_timestamp() - :kept * interval '1 microsecond'
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
    RETURNING 1
)
SELECT 1 FROM gone HAVING count(*) = 1000 -- there may be more
