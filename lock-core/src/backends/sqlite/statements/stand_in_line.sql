-- Gets in line behind all others, and says who has the key.
-- Invariant: nobody gets in line for a key that he could take now.
UPDATE {table} AS held SET
    waiters = CASE
        WHEN instr(held.waiters, :entry) > 0 OR length(held.waiters) > 8000 THEN held.waiters
        -- An answer was lost: nobody waits for himself.
        WHEN held.owner = :owner AND held.expires_at > :now THEN held.waiters
        ELSE held.waiters || :entry
    END
WHERE held.id = :id AND held.boot = :boot
  AND NOT (held.expires_at <= :now
           AND (held.waiters = '' OR instr(held.waiters, :entry) = 1 OR held.expires_at + :window <= :now))
RETURNING {row}
