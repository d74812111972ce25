-- Gets in line behind all others, and says who has the key.
-- Invariant: nobody gets in line for a key that he could take now; a release that tells those in line missed nobody.
UPDATE {table} AS held SET
    waiters = CASE
        WHEN strpos(held.waiters, :entry) > 0 OR length(held.waiters) > 8000 THEN held.waiters
        -- An answer was lost: nobody waits for himself.
        WHEN held.owner = :owner AND held.expires_at > clock_timestamp() THEN held.waiters
        ELSE held.waiters || :entry
    END
WHERE held.id = :id
  AND NOT (held.expires_at <= clock_timestamp()
           AND (held.waiters = '' OR starts_with(held.waiters, :entry)
                OR held.expires_at + :window * interval '1 microsecond' <= clock_timestamp()))
RETURNING {row}
