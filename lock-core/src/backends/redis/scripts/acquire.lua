-- Invariant: whoever is told a token is the value of the lock's key, which lasts its ttl from now on. Asked again by
-- the same owner, it is the same token. Who is refused and can wait is in line from then on, where he stood before.
--
-- KEYS: lock, record, queue.
-- ARGV: owner, ttl, how long to keep the record, tokens to reserve, `pid host`, place in line ('': does not wait), and
-- whether he may stand there already.
-- Times in ms. Answers the first token, with how many if it was granted before, or who has it: { ms left, value, record }.

local lock, record, queue = KEYS[1], KEYS[2], KEYS[3]
local owner, ttl, keep = ARGV[1], ARGV[2], ARGV[3]
local last
if redis.call('SET', lock, owner, 'NX', 'PX', ttl) then
  local text = redis.call('GET', record)
  last = text and tonumber(string.match(text, '^%d+'))
else
  -- A key of a foreign type is an error to read, and held.
  local value = redis.pcall('GET', lock)
  if value ~= owner then
    if ARGV[6] ~= '' then
      local time = redis.call('TIME')
      redis.call('ZADD', queue, 'NX', time[1] * 1000000 + time[2], ARGV[6])
      redis.call('PEXPIRE', queue, 60000)
    end
    if type(value) ~= 'string' then value = '' end
    return { redis.call('PTTL', lock), value, redis.call('GET', record) or '' }
  end
  redis.call('PEXPIRE', lock, ttl)
  local reserved, by
  last, reserved, by = record_of(record)
  if by == owner and reserved > 0 then
    redis.call('PEXPIRE', record, keep)
    return { last - reserved + 1, reserved }
  end
end
if ARGV[7] == '1' then redis.call('ZREM', queue, ARGV[6]) end
return grant(record, last, owner, ARGV[4], keep, ARGV[5])
