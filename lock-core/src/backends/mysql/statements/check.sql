-- What is wrong with a table that is there: 1 if a key could have two rows, or share one, 2 if leases could end too early.
-- Invariant: the id is unique, and nothing else is. Without that, each acquire would make a row, and be granted.
CAST(CASE
    WHEN NOT EXISTS (SELECT 1 FROM information_schema.tables
        WHERE table_schema = {schema} AND table_name = '{name}' AND table_type = 'BASE TABLE') THEN 0
    WHEN COALESCE((SELECT GROUP_CONCAT(CONCAT(column_name, COALESCE(sub_part, ''))) FROM information_schema.statistics
        WHERE table_schema = {schema} AND table_name = '{name}' AND non_unique = 0), '') <> 'id' THEN 1
    WHEN EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = {schema} AND table_name = '{name}'
          AND column_name IN ('acquired_at', 'expires_at') AND datetime_precision < 6) THEN 2
    ELSE 0
END AS SIGNED)
