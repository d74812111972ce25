-- Invariant: after this, the key is that of the first in line whose process hears of it, or gone if there is none. It is
-- his for a moment only, until he claims it. The next in line are told to look when that has passed, one after the
-- other: one of them may hear as little as he does.
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
      local wait = 0
      for _, next in ipairs(redis.call('ZRANGE', queue, 0, 2)) do
        wait = wait + within
        channel, _, owner = string.match(next, '^(%S+) (%d+) (.*)$')
        redis.pcall('PUBLISH', channel, 'soon\31' .. wait .. '\31' .. lock .. '\31' .. owner)
      end
      return
    end
  end
end
