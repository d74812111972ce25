-- Makes a lease last longer, never shorter.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = GREATEST(expires_at, UTC_TIMESTAMP(6) + INTERVAL :ttl MICROSECOND)
WHERE id = :id AND owner = :owner AND expires_at > UTC_TIMESTAMP(6)
