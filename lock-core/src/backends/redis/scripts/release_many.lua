-- Many of one process who release, each as if alone. Where all of them have their locks and nobody waits for any, which
-- is the common case, in three calls.
--
-- KEYS: lock, record, queue of each. ARGV: owner of each. Answers of each whether it was his.

local locks, queues, answers = {}, {}, {}
for each = 1, #ARGV do
  locks[each], queues[each], answers[each] = KEYS[3 * each - 2], KEYS[3 * each], 1
end
local values, theirs = redis.call('MGET', unpack(locks)), true
for each = 1, #ARGV do
  theirs = theirs and values[each] == ARGV[each]
end
if theirs and redis.call('EXISTS', unpack(queues)) == 0 then
  redis.call('DEL', unpack(locks))
  return answers
end
for each = 1, #ARGV do
  local done, answer = pcall(give, locks[each], KEYS[3 * each - 1], queues[each], ARGV[each])
  answers[each] = done and answer or { err = type(answer) == 'table' and answer.err or tostring(answer) }
end
return answers
