-- Gets in line behind all others.
-- Invariant: nobody gets in line for a key that he could take now.
UPDATE {table} SET
    waiters = IF(LOCATE(:entry, waiters) > 0 OR LENGTH(waiters) > 8000, waiters, CONCAT(waiters, :entry))
WHERE id = :id AND NOT {free}
