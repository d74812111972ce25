-- Many of one process who acquire, each as if alone, by `take`, which is `free` and `taken` as one function: what is wrong
-- with one of them is his answer, and nobody else's.
--
-- KEYS: lock, record, queue of each. ARGV: whom, told; of each owner, ttl, how long to keep the record, tokens to
-- reserve, stands. Answers what each would be answered.

local whom, told, answers = ARGV[1], ARGV[2], {}
for each = 1, #KEYS / 3 do
  local key, argument = 3 * each, 5 * each
  local done, answer = pcall(take, KEYS[key - 2], KEYS[key - 1], KEYS[key], whom, told, ARGV[argument - 2],
    ARGV[argument - 1], ARGV[argument], ARGV[argument + 1], ARGV[argument + 2])
  answers[each] = done and answer or { err = type(answer) == 'table' and answer.err or tostring(answer) }
end
return answers
