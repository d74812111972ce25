-- Invariant: only the owner's own key is prolonged, and never shortened. Never SET: out of memory, that fails.
--
-- KEYS: lock, record. ARGV: owner, ttl, how long to keep the record. Answers whether it was his.

if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
