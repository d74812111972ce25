-- Invariant: only the owner that the key names takes it over, under no lower a token than he has: the last of his block,
-- which is his if he has only one. Nothing is acquired anew.
--
-- KEYS: lock, record. ARGV: owner, ttl, how long to keep the record, tokens to reserve,
-- ` pid host owner` for the record.
-- Answers the token, who else has it, or nil if nobody does.

local lock, record = KEYS[1], KEYS[2]
local value = redis.pcall('GET', lock)
if not value then return nil end
if value ~= ARGV[1] then
  if type(value) ~= 'string' then value = '' end
  return { redis.call('PTTL', lock), value, redis.call('GET', record) or '' }
end
if redis.call('PTTL', lock) < tonumber(ARGV[2]) then redis.call('PEXPIRE', lock, ARGV[2]) end
local last, reserved, by = record_of(record)
if by == ARGV[1] and reserved > 0 then
  redis.call('SET', record, string.format('%.0f', last) .. ' 1' .. ARGV[5], 'PX', ARGV[3])
  return { last, 1 }
end
return grant(record, last, ARGV[4], ARGV[5], ARGV[3])
