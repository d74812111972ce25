-- Removes keys that nobody has used for long; looks at no more than it can while others wait for the file, from anywhere
-- in the table on.
-- Invariant: the tokens of such a key are below the time of day, from which its next one is taken.
DELETE FROM {table} WHERE id IN (
    SELECT * FROM (SELECT id FROM {table} WHERE id >= :id ORDER BY id LIMIT 500)
    UNION ALL
    SELECT * FROM (SELECT id FROM {table} WHERE id < :id ORDER BY id LIMIT 500)
) AND (boot <> :boot OR expires_at < :now - :kept) AND last_token < :wall - :kept
RETURNING 0
