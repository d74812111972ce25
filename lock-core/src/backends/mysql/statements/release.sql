-- Lets a lease end now. The token stays.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = UTC_TIMESTAMP(6)
WHERE id = :id AND owner = :owner AND expires_at > UTC_TIMESTAMP(6)
