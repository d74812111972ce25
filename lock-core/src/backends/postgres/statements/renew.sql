-- Makes a lease last longer, never shorter.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = greatest(expires_at, clock_timestamp() + :ttl * interval '1 microsecond')
WHERE id = :id AND owner = :owner AND expires_at > clock_timestamp()
RETURNING 1
