-- Leaves the line; who was first while the key was free leaves it to the next, who is to be told.
UPDATE {table} AS held SET waiters = replace(held.waiters, :entry, '')
WHERE held.id = :id AND instr(held.waiters, :entry) > 0
RETURNING waiters <> '' AND (boot <> :boot OR expires_at <= :now)
