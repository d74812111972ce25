-- Takes over a lease by its owner, under the last of its tokens.
-- Invariant: only while it lasts; nothing is granted anew.
UPDATE {table} SET
    expires_at = clock_timestamp() + :ttl * interval '1 microsecond',
    token = last_token, host = :host, pid = :pid
WHERE id = :id AND owner = :owner AND expires_at > clock_timestamp()
RETURNING 1
