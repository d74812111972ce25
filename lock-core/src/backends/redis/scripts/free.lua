-- One who acquires a key that is free: the common case, in three calls. `lock`, `record` and `queue` are names; `whom` is
-- ` pid host ` for the record, `told` how his process is told, `channel within `; `stands` says whether he is in line:
-- 0 no, but let him; 1 maybe, let him; 2 maybe, do not let him; 3 no, nor let him. Times in ms.
--
-- Invariant: whoever is told a token is the value of the lock's key, which lasts its ttl from now on. Returns the token.
-- Otherwise `last` says which is the last one, if it is his, and `taken` goes on.

local call, last = redis.call, nil
if call('SET', lock, owner, 'NX', 'PX', ttl) then
  -- The token is the server's time; only where that has not gone on, or went back, is it the one after the last, by `taken`.
  -- Texts of 16 digits stand in the order of their numbers.
  local token = now()
  local highest = reserve == '1' and token or string.format('%.0f', token + reserve - 1)
  local old = call('SET', record, highest .. ' ' .. reserve .. whom .. owner, 'PX', keep, 'GET')
  if stands == '1' or stands == '2' then call('ZREM', queue, told .. owner) end
  if not old then return token end
  if #token == 16 and string.byte(old, 17) == 32 and string.sub(old, 1, 16) < token then return token end
  last = tonumber(string.match(old, '^%d+'))
  if not last or last < tonumber(token) then return token end
end
