-- One who acquires, after `free`: the key is somebody's, or his, under a token that is yet to be found.
--
-- Invariant: asked again by the same owner, it is the same token. Who is refused and can wait is in line from then on, where
-- he stood before. Returns the first token, with how many if it was granted before, or who has it: { ms left, value, record }.

if not last then
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
