-- All that is held under a prefix.
SELECT {row} FROM {table} AS held
WHERE substr(held.key, 1, length(:prefix)) = :prefix AND held.boot = :boot AND held.expires_at > :now
ORDER BY held.key
