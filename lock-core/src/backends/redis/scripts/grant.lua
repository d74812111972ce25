-- Invariant: the first token of a block is higher than every token of the lock before, as long as the record or the
-- server's clock is there to tell: max(last + 1, server time in µs).

local function grant(record, last, reserve, of, keep)
  local time = redis.call('TIME')
  local token = time[1] * 1000000 + time[2]
  if last and last >= token then token = last + 1 end
  redis.call('SET', record, string.format('%.0f', token + reserve - 1) .. of, 'PX', keep)
  return token
end
