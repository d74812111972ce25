-- Invariant: no command runs on the resource under a token lower than one that was there before.
-- The fence is raised first: if the command then fails, nothing was written, and lower tokens are refused all the same.
--
-- KEYS: resource, its fence. ARGV: token, command, its arguments after the key.
-- Answers { highest token, what the command said }, or { highest token } alone where the command was refused.

local highest = redis.call('GET', KEYS[2])
if highest and tonumber(highest) > tonumber(ARGV[1]) then return { highest } end
if highest ~= ARGV[1] then redis.call('SET', KEYS[2], ARGV[1]) end
return { ARGV[1], redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3)) }
