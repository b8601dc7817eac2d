-- Takes a lock for a time, or extends it for its holder.
--
-- KEYS   1 lock (string)
-- ARGV   1 its holder  2 ms
-- RETURNS 1, or 0 if another holder has it
--
-- Atomic: a lock that expires between the check and the extension may belong to another holder by
-- then.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
