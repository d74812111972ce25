-- Takes over a lease by its owner, under the last of its tokens.
-- Invariant: only while it lasts; nothing is granted anew.
UPDATE {table} SET
    expires_at = UTC_TIMESTAMP(6) + INTERVAL :ttl MICROSECOND,
    token = last_token, host = :host, pid = :pid
WHERE id = :id AND owner = :owner AND expires_at > UTC_TIMESTAMP(6)
