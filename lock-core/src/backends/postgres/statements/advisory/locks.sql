-- The session locks of this database that are held, by their number and the session's process.
SELECT (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) AS number, pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
