-- Asks the owner of the lock to give it back: him, and not who has it next.
WITH locks AS ({row})
SELECT CAST(pg_notify(:channel, 'force ' || held.id || ' ' || held.owner) AS text)
FROM {table} AS held WHERE held.id = :id AND held.owner = :owner AND :lock IN (SELECT number FROM locks)
