-- One who releases. Answers whether it was his. What follows is for where somebody waits: in the common case, not even its
-- functions are made.
--
-- KEYS: lock, record, queue. ARGV: owner.

if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
-- There is no queue. Every user may ask for this.
if redis.call('PTTL', KEYS[3]) == -2 then
  redis.call('DEL', KEYS[1])
  return 1
end
