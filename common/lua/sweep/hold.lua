-- Holds a lock in somebody's name for a time, or holds it for longer.
--
-- KEYS   1 lock (string)
-- ARGV   1 its holder  2 ms
-- RETURNS 1, or 0 where somebody else holds it
--
-- Atomic, since a lock that ran out between the look and the extension may be another's by then.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
