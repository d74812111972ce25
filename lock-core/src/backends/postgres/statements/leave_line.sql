-- Leaves the line; who was first while the key was free leaves it to the next, who is told.
WITH gone AS (
    UPDATE {table} AS held SET waiters = replace(held.waiters, :entry, '')
    WHERE held.id = :id AND strpos(held.waiters, :entry) > 0
    RETURNING held.waiters, held.expires_at
)
SELECT CASE WHEN waiters <> '' AND expires_at <= clock_timestamp() THEN pg_notify(
    :channel, :id || ' ' || array_to_string((string_to_array(waiters, chr(31) || chr(31)))[1:4], chr(31))
) END
FROM gone
