-- Reads where a provider stands.
--
-- KEYS   1 calls (list)  2 waiters (zset)  3 state (hash)  4 breaker (hash)  5 memory (hash)
-- ARGV   1 window in ms  2 limit (calls a window)  3 tokens a window  4 calls a day  5 calls at once
--        6 micro-USD a day; 0 for no limit
-- RETURNS { closed | open | half_open, closed_until ms (0 for none), waiters, calls in the window,
--         calls today, micro-USD today, then the limits in force in the order of ARGV }
--
-- Atomic, since figures of different moments would contradict each other.

local state = redis.call('HMGET', KEYS[3], 'limit', 'tokens', 'per_day', 'at_once', 'usd_per_day',
  'closed_until', 'day', 'day_calls', 'day_usd')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = now - tonumber(ARGV[1])
-- The list is in the order of time, newest first: the first expired one ends the search.
local low, high = 0, redis.call('LLEN', KEYS[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  if tonumber(redis.call('LINDEX', KEYS[1], middle)) > oldest then
    low = middle + 1
  else
    high = middle
  end
end
local breaker = redis.call('HMGET', KEYS[4], 'state', 'until')
local health = breaker[1] or 'closed'
if health == 'open' and tonumber(breaker[2]) <= now then
  health = 'half_open'
end
local closed_until = tonumber(state[6] or 0)
local memory = redis.call('HMGET', KEYS[5], 'since', 'forgot')
if memory[2] then
  -- See admit.lua.
  closed_until = math.max(closed_until, memory[1] + ARGV[1])
end
local is_today = tonumber(state[7] or 0) == math.floor(now / 86400000)
local standing = { health, closed_until > now and closed_until or 0, redis.call('ZCARD', KEYS[2]), low,
  is_today and tonumber(state[8] or 0) or 0, is_today and tonumber(state[9] or 0) or 0 }
for i = 1, 5 do
  standing[6 + i] = tonumber(state[i] or ARGV[i + 1])
end
return standing
