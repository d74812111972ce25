-- Invariant: what is no lock, a key of a foreign type, is an error and stays.
--
-- KEYS: lock, record, queue. Answers whether anybody had it.

if not redis.call('GET', KEYS[1]) then return 0 end
pass_on(KEYS[1], KEYS[2], KEYS[3])
return 1
