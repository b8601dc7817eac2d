-- Lets calls through to a provider again: an operator's word against the provider's own and the breaker's.
--
-- KEYS   1 breaker (hash)  2 state (hash: closed_until)  3 memory (hash: since, forgot)
--        4 waiters (zset)  5 expected (zset)
-- ARGV   1 window in ms
-- RETURNS the ms until which the provider takes no calls all the same, since a flush made Redis forget
--         those of the last window; 0 for none
--
-- Atomic, since a call that ends at the same time may close the provider anew: its word must not be lost
-- halfway.
--
-- What a flush closed stays closed: the forgotten calls count against the quota. See admit.lua.

-- Those behind them are told a new moment as the first ones leave the line.
local BOUND = 500

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local closed_until = tonumber(redis.call('HGET', KEYS[2], 'closed_until') or 0)
local memory = redis.call('HMGET', KEYS[3], 'since', 'forgot')
local flushed_until = memory[2] and tonumber(memory[1]) + tonumber(ARGV[1]) or 0
local first = redis.call('ZRANGE', KEYS[4], 0, BOUND - 1)

redis.call('DEL', KEYS[1])
if flushed_until <= now then
  flushed_until = 0
  redis.call('HDEL', KEYS[2], 'closed_until')
elseif closed_until > flushed_until then
  redis.call('HSET', KEYS[2], 'closed_until', string.format('%.0f', flushed_until))
end
-- Those who wait were told to come when the provider would open: now they are expected at once, since
-- where tokens are limited nobody passes the first one before its moment.
for _, ticket in ipairs(first) do
  redis.call('ZADD', KEYS[5], 'XX', 'LT', math.max(now, flushed_until), ticket)
end
return flushed_until
