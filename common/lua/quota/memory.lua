-- Notes which generation of Redis' memory the quotas are in, and whether an earlier one was forgotten.
--
-- KEYS   1 memory (hash: generation, since, forgot)
-- ARGV   1 the generation that the caller knows; '' for none  2 a name for a new one
-- RETURNS the generation
--
-- Atomic, since all must agree on one generation and on when it was first seen. admit.lua does the
-- same at each ask, and says what follows.

local memory = redis.call('HMGET', KEYS[1], 'generation', 'forgot')
if not memory[1] then
  local time = redis.call('TIME')
  memory[1] = ARGV[2]
  redis.call('HSET', KEYS[1], 'generation', memory[1], 'since', time[1] * 1000 + math.floor(time[2] / 1000))
end
if ARGV[1] ~= '' and ARGV[1] ~= memory[1] and not memory[2] then
  redis.call('HSET', KEYS[1], 'forgot', '1')
end
return memory[1]
