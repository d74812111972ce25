-- KEYS: lock, record. Answers who has it as of one moment, { ms left, value, record }, or nil.

local value = redis.pcall('GET', KEYS[1])
if not value then return nil end
if type(value) ~= 'string' then value = '' end
return { redis.call('PTTL', KEYS[1]), value, redis.call('GET', KEYS[2]) or '' }
