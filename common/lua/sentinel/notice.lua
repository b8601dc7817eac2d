-- Notices that another server has taken the primary's place: what was written last may be missing on it.
--
-- KEYS   1 memory (hash, of all quotas: generation, since, forgot, server)
--        2… what the sweep leaves of its passes (strings), all kinds'
-- ARGV   1 a name for a new generation
-- RETURNS 1 where the server is not the one that `memory` was noted on, or 0
--
-- It then does what a flush would have done: a new generation begins, an earlier one was forgotten, and
-- no whole pass counts any more. A server that starts again counts as another one, since it may have lost
-- as much. Memory that names no server is of unknown origin.
--
-- Atomic, since all must agree on when the new server was first seen. Never asked in a cluster: the
-- keys are of several slots.

local server = redis.call('INFO', 'server'):match('run_id:(%x+)')
local memory = redis.call('HMGET', KEYS[1], 'server', 'generation')
if memory[1] == server then
  return 0
end
if not memory[1] and not memory[2] then
  redis.call('HSET', KEYS[1], 'server', server)
  return 0
end
local time = redis.call('TIME')
redis.call('DEL', unpack(KEYS, 2))
redis.call('HSET', KEYS[1], 'server', server, 'generation', ARGV[1], 'forgot', '1',
  'since', time[1] * 1000 + math.floor(time[2] / 1000))
return 1
