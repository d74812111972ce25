-- Invariant: who gives up is not in line any more, and has no lock that was passed on to him without his having claimed
-- it. One that he has claimed is not touched.
--
-- KEYS: lock, record, queue. ARGV: owner, and how his process is told, which is the first part of his place in line.

redis.call('ZREM', KEYS[3], ARGV[2] .. ARGV[1])
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return end
local _, reserved, by = record_of(KEYS[2])
if by == ARGV[1] and reserved == 0 then pass_on(KEYS[1], KEYS[2], KEYS[3]) end
