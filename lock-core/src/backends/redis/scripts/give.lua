-- Invariant: only the owner's own key is given up, and it goes to the first in line. Returns whether it was his.

local function give(lock, record, queue, owner)
  if redis.pcall('GET', lock) ~= owner then return 0 end
  pass_on(lock, record, queue)
  return 1
end
