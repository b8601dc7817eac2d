-- Sets which of its jobs a queue hands out.
--
-- KEYS   1 state (hash)  2 bell (list)
-- ARGV   1 open (all), draining (those that were under way) or paused (none)
--        2 version (grows with every change)
-- RETURNS 1, or 0 where a later version is there already
--
-- Atomic, since whoever tells Redis of an older state must not undo a newer one.

if tonumber(redis.call('HGET', KEYS[1], 'intake_version') or 0) > tonumber(ARGV[2]) then
  return 0
end
local before = redis.call('HGET', KEYS[1], 'intake')
redis.call('HSET', KEYS[1], 'intake', ARGV[1], 'intake_version', ARGV[2])
if before ~= ARGV[1] and redis.call('LLEN', KEYS[2]) == 0 then
  -- An idle worker looks at once, and rings for others where it finds more than it can take.
  redis.call('RPUSH', KEYS[2], '1')
end
return 1
