-- Opens a breaker: an operator's word.
--
-- KEYS   1 breaker (hash)
-- ARGV   1 ms that it stays open before a probe
-- RETURNS the ms until which it is open
--
-- Atomic, since no call may meet a breaker without its time. Redis' own clock, as that of the calls.

local time = redis.call('TIME')
local open_until = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'open', 'until', open_until)
return open_until
