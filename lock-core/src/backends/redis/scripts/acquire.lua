-- Invariant: whoever is told a token is the value of the lock's key, which lasts its ttl from now on. Asked again by
-- the same owner, it is the same token. Who is refused and can wait is in line from then on, where he stood before.
--
-- KEYS: lock, record, queue.
-- ARGV: owner, ttl, how long to keep the record, tokens to reserve, ` reserved pid host owner` for the record, place in
-- line ('': does not wait), and whether he stands there: 0 no, but let him; 1 maybe, let him; 2 maybe, do not let him.
-- Times in ms. Answers the first token, with how many if it was granted before, or who has it: { ms left, value, record }.

local call = redis.call
local owner, ttl, keep, last = ARGV[1], ARGV[2], ARGV[3], nil
if call('SET', KEYS[1], owner, 'NX', 'PX', ttl) then
  -- The common case, in three calls. The token is the server's time; only where that has not gone on, or went back, is
  -- it the one after the last, below.
  local time = call('TIME')
  local token = time[1] * 1000000 + time[2]
  local old = call('SET', KEYS[2], string.format('%.0f', token + ARGV[4] - 1) .. ARGV[5], 'PX', keep, 'GET')
  if ARGV[7] ~= '0' then call('ZREM', KEYS[3], ARGV[6]) end
  last = old and tonumber(string.match(old, '^%d+'))
  if not last or last < token then return token end
else
  -- A key of a foreign type is an error to read, and held.
  local value = redis.pcall('GET', KEYS[1])
  if value ~= owner then
    if ARGV[6] ~= '' and ARGV[7] ~= '2' then
      local time = call('TIME')
      call('ZADD', KEYS[3], 'NX', time[1] * 1000000 + time[2], ARGV[6])
      call('PEXPIRE', KEYS[3], 60000)
    end
    if type(value) ~= 'string' then value = '' end
    return { call('PTTL', KEYS[1]), value, call('GET', KEYS[2]) or '' }
  end
  -- Never shorter: the request may arrive twice, and the second time after a renewal.
  if call('PTTL', KEYS[1]) < tonumber(ttl) then call('PEXPIRE', KEYS[1], ttl) end
  if ARGV[7] ~= '0' then call('ZREM', KEYS[3], ARGV[6]) end
  local reserved, by
  last, reserved, by = record_of(KEYS[2])
  if by == owner and reserved > 0 then
    call('PEXPIRE', KEYS[2], keep)
    return { last - reserved + 1, reserved }
  end
end
return grant(KEYS[2], last, ARGV[4], ARGV[5], keep)
