-- Invariant: whoever is told a token is the value of the lock's key, which lasts its ttl from now on. Asked again by
-- the same owner, it is the same token. Who is refused and can wait is in line from then on, where he stood before.
--
-- `whom` is ` pid host ` for the record, `told` how his process is told, `channel within `. `stands` says whether he is
-- in line: 0 no, but let him; 1 maybe, let him; 2 maybe, do not let him; 3 no, nor let him. Times in ms.
-- Returns the first token, with how many if it was granted before, or who has it: { ms left, value, record }.

local function take(lock, record, queue, whom, told, owner, ttl, keep, reserve, stands)
  local call, last = redis.call, nil
  if call('SET', lock, owner, 'NX', 'PX', ttl) then
    -- The common case, in three calls. The token is the server's time; only where that has not gone on, or went back, is
    -- it the one after the last, below. Texts of 16 digits stand in the order of their numbers.
    local token = now()
    local highest = reserve == '1' and token or string.format('%.0f', token + reserve - 1)
    local old = call('SET', record, highest .. ' ' .. reserve .. whom .. owner, 'PX', keep, 'GET')
    if stands == '1' or stands == '2' then call('ZREM', queue, told .. owner) end
    if not old then return token end
    if #token == 16 and string.byte(old, 17) == 32 and string.sub(old, 1, 16) < token then return token end
    last = tonumber(string.match(old, '^%d+'))
    if not last or last < tonumber(token) then return token end
  else
    -- A key of a foreign type is an error to read, and held.
    local value = redis.pcall('GET', lock)
    if value ~= owner then
      if stands == '0' or stands == '1' then
        call('ZADD', queue, 'NX', now(), told .. owner)
        call('PEXPIRE', queue, 60000)
      end
      if type(value) ~= 'string' then value = '' end
      return { call('PTTL', lock), value, call('GET', record) or '' }
    end
    -- Never shorter: the request may arrive twice, and the second time after a renewal.
    if call('PTTL', lock) < tonumber(ttl) then call('PEXPIRE', lock, ttl) end
    if stands == '1' or stands == '2' then call('ZREM', queue, told .. owner) end
    local reserved, by
    last, reserved, by = record_of(record)
    if by == owner and reserved > 0 then
      call('PEXPIRE', record, keep)
      return { last - reserved + 1, reserved }
    end
  end
  return grant(record, last, reserve, whom .. owner, keep)
end
