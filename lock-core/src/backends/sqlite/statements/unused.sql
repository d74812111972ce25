-- Whether there is something to remove of what prune.sql would look at.
SELECT 1 FROM {table} WHERE id IN (
    SELECT * FROM (SELECT id FROM {table} WHERE id >= :id ORDER BY id LIMIT 500)
    UNION ALL
    SELECT * FROM (SELECT id FROM {table} WHERE id < :id ORDER BY id LIMIT 500)
) AND (boot <> :boot OR expires_at < :now - :kept) AND last_token < :wall - :kept
LIMIT 1
