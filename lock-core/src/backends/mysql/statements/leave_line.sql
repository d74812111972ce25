-- Leaves the line.
UPDATE {table} SET waiters = REPLACE(waiters, :entry, '') WHERE id = :id AND LOCATE(:entry, waiters) > 0
