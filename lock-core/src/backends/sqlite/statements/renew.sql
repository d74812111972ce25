-- Makes a lease last longer, never shorter.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = max(expires_at, :now + :ttl)
WHERE id = :id AND owner = :owner AND boot = :boot AND expires_at > :now
RETURNING 0
