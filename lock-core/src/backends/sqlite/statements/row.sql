-- What is known of a key.
held.key, held.owner, held.token, held.last_token,
CASE WHEN held.boot = :boot THEN held.expires_at - :now ELSE 0 END,
held.acquired_at, held.host, held.pid,
instr(held.waiters, :entry), length(held.waiters)
