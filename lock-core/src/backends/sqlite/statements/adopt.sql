-- Takes over a lease by its owner, under the last of its tokens.
-- Invariant: only while it lasts; nothing is granted anew.
UPDATE {table} SET expires_at = :now + :ttl, token = last_token, host = :host, pid = :pid
WHERE id = :id AND owner = :owner AND boot = :boot AND expires_at > :now
RETURNING 0
