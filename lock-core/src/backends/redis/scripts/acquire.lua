-- One who acquires, as `take` does it.
--
-- KEYS: lock, record, queue. ARGV: whom, told, owner, ttl, how long to keep the record, tokens to reserve, stands.

return take(KEYS[1], KEYS[2], KEYS[3], unpack(ARGV))
