-- Lets whatever lease there is end now, and tells those in line. The token stays.
WITH freed AS (
    UPDATE {table} SET expires_at = clock_timestamp() WHERE id = :id AND expires_at > clock_timestamp()
    RETURNING waiters
)
SELECT CASE WHEN waiters <> '' THEN pg_notify(:channel, :id || ' ' || split_part(waiters, chr(31), 2)) END
FROM freed
