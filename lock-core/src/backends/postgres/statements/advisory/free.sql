-- Gives the session's lock back, and tells all who wait for it.
WITH freed AS MATERIALIZED (SELECT pg_advisory_unlock(:lock) AS it)
SELECT CAST(pg_notify(:channel, :id || ' ') AS text) FROM freed WHERE it
