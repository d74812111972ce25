-- Invariant: only the owner's own key is given up, and it goes to the first in line.
--
-- KEYS: lock, record, queue. ARGV: owner. Answers whether it was his.

if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
pass_on(KEYS[1], KEYS[2], KEYS[3])
return 1
