-- Sets which jobs a queue hands out.
--
-- KEYS   1 state (hash)  2 bell (list)
-- ARGV   1 open (all), draining (those that were under way) or paused (none)
--        2 version (grows with every change)
-- RETURNS 1, or 0 if a later version is already set
--
-- Atomic: a process with an older state must not overwrite a newer one.

if tonumber(redis.call('HGET', KEYS[1], 'intake_version') or 0) > tonumber(ARGV[2]) then
  return 0
end
local before = redis.call('HGET', KEYS[1], 'intake')
redis.call('HSET', KEYS[1], 'intake', ARGV[1], 'intake_version', ARGV[2])
if before ~= ARGV[1] and redis.call('LLEN', KEYS[2]) == 0 then
  -- Wakes an idle worker; it rings for others if it finds more jobs than it can take.
  redis.call('RPUSH', KEYS[2], '1')
end
return 1
