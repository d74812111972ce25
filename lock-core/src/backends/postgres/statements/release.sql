-- Lets a lease end now, and tells the first four in line. The token stays.
-- Invariant: only the owner's own lease, and only while it lasts.
UPDATE {table} SET expires_at = clock_timestamp()
WHERE id = :id AND owner = :owner AND expires_at > clock_timestamp()
RETURNING CASE WHEN waiters <> '' THEN pg_notify(
    :channel, :id || ' ' || array_to_string((string_to_array(waiters, chr(31) || chr(31)))[1:4], chr(31))
) END
