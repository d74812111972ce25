-- Leaves the line.
UPDATE {table} AS held SET waiters = replace(held.waiters, :entry, '')
WHERE held.id = :id AND instr(held.waiters, :entry) > 0
RETURNING 1
