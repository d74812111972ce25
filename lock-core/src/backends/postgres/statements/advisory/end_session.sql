-- Ends the session that has the lock, if it is still that of its owner.
WITH locks AS ({row})
SELECT pg_terminate_backend(locks.pid)
FROM locks JOIN {table} AS held ON held.id = :id AND held.owner = :owner WHERE locks.number = :lock
