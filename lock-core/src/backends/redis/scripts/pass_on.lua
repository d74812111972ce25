-- Invariant: after this, the key is that of the first in line whose process hears of it, or gone if there is none. It is
-- his for a moment only, until he claims it; the next in line is told to look when that has passed.
--
-- A place in line is `channel within owner`: where his process listens, and how soon he claims.

local function pass_on(lock, record, queue)
  while true do
    local place = redis.call('ZPOPMIN', queue)[1]
    if not place then
      redis.call('DEL', lock)
      return
    end
    local channel, within, owner = string.match(place, '^(%S+) (%d+) (.*)$')
    redis.call('SET', lock, owner, 'PX', within)
    local heard = redis.pcall('PUBLISH', channel, 'yours\31' .. within .. '\31' .. lock .. '\31' .. owner)
    if type(heard) == 'number' and heard > 0 then
      local last = record_of(record) or 0
      redis.call('SET', record, string.format('%.0f 0 - - %s', last, owner), 'PX', 3600000)
      local next = redis.call('ZRANGE', queue, 0, 0)[1]
      if next then
        channel, within, owner = string.match(next, '^(%S+) (%d+) (.*)$')
        redis.pcall('PUBLISH', channel, 'soon\31' .. within .. '\31' .. lock .. '\31' .. owner)
      end
      return
    end
  end
end
