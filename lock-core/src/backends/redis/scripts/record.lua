-- The record beside a lock: `last reserved pid host owner`. `last` is the highest fencing token that was given out, and
-- `reserved` how many of them, `last` included, are the owner's; 0: the lock was passed on to the owner, who has not
-- claimed it yet.

local function record_of(name)
  local text = redis.call('GET', name)
  if not text then return nil end
  local last, reserved, owner = string.match(text, '^(%d+) (%d+) %S+ %S+ (.*)$')
  return tonumber(last), tonumber(reserved), owner
end
