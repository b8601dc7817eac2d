-- Reads where a provider stands.
--
-- KEYS   1 calls (list)  2 waiters (zset)  3 state (hash)  4 breaker (hash)
-- ARGV   1 limit  2 window in ms
-- RETURNS { limit, calls in the window, waiters, closed | open | half_open, closed_until ms (0 for none) }
--
-- Atomic, since figures of different moments would contradict each other.

local limit = tonumber(redis.call('HGET', KEYS[3], 'limit') or ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = now - tonumber(ARGV[2])
local used = 0
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
used = low
local breaker = redis.call('HMGET', KEYS[4], 'state', 'until')
local state = breaker[1] or 'closed'
if state == 'open' and tonumber(breaker[2]) <= now then
  state = 'half_open'
end
local closed_until = tonumber(redis.call('HGET', KEYS[3], 'closed_until') or 0)
return { limit, used, redis.call('ZCARD', KEYS[2]), state, closed_until > now and closed_until or 0 }
