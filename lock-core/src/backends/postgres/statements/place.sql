-- Which table it is that a session means: of which start of which server, of which database. Another table of the name,
-- also a copy with the same rows, keeps other locks.
concat_ws(' ', CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS bigint),
    (SELECT oid FROM pg_database WHERE datname = current_database()), CAST(CAST('{table}' AS regclass) AS oid))
