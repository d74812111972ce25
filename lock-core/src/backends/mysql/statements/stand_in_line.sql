-- Gets in line behind all others.
-- Invariant: nobody gets in line for a key that he could take now, nor for one that he has, as an answer was lost.
UPDATE {table} SET
    waiters = IF(
        LOCATE(:entry, waiters) > 0 OR LENGTH(waiters) > 8000 OR (owner = :owner AND expires_at > UTC_TIMESTAMP(6)),
        waiters, CONCAT(waiters, :entry)
    )
WHERE id = :id AND NOT {free}
