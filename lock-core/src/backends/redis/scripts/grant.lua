-- Invariant: the first token of a block is higher than every token of the lock before, as long as the record or the
-- server's clock is there to tell: max(last + 1, server time in µs).
--
-- `of` is ` pid host owner` for the record. Returns the token as a text.

local function grant(record, last, reserve, of, keep)
  local token = now()
  if last and last >= tonumber(token) then token = string.format('%.0f', last + 1) end
  local highest = string.format('%.0f', token + reserve - 1)
  redis.call('SET', record, highest .. ' ' .. reserve .. of, 'PX', keep)
  return token
end
