-- All that is held under a prefix. Compared as bytes: as text, a space at the end would not count.
SELECT {row} FROM {table} AS held
WHERE CAST(LEFT(held.`key`, CHAR_LENGTH(:prefix)) AS BINARY) = CAST(:prefix AS BINARY)
  AND held.expires_at > UTC_TIMESTAMP(6)
ORDER BY held.`key`
