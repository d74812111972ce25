-- All that is held under a prefix.
SELECT {row} FROM {table} AS held
WHERE starts_with(held.key, :prefix) AND held.expires_at > clock_timestamp() ORDER BY held.key
