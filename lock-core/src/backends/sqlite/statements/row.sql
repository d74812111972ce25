-- What is known of a key. What follows RETURNING knows no other name for the table.
key, owner, token, last_token,
CASE WHEN boot = :boot THEN expires_at - :now ELSE 0 END,
acquired_at, host, pid,
instr(waiters, :entry), length(waiters)
