-- Lets a lease end now, and says whether somebody is to be told. The token stays.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = :now
WHERE id = :id AND owner = :owner AND boot = :boot AND expires_at > :now
RETURNING waiters <> ''
