-- Detects that another server has become the primary: the last writes may be missing on it.
--
-- KEYS   1 memory (hash, of all quotas: generation, since, forgot, server)
--        2… the sweep's marks of its passes (strings), for all kinds
-- ARGV   1 a name for a new generation
-- RETURNS 1 if the server is not the one recorded in `memory`, else 0
--
-- In that case it does what a flush would have done: it starts a new generation, records that an
-- earlier one was forgotten, and removes the marks of whole passes. A restarted server counts as
-- another one, since it may have lost as much. Memory that names no server is of unknown origin.
--
-- Atomic: all processes must agree on when the new server was first seen. It is never called on a
-- cluster: the keys are in several slots.

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
