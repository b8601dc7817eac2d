-- Reads where a provider stands, or one of its models that has limits of its own.
--
-- KEYS   1 calls (list)  2 waiters (zset)  3 state (hash)  4 breaker (hash)  5 memory (hash)
--        6 purse (hash: the state of the provider's own account)  7 granted (zset)  8 amounts (hash)
--        9 trouble (string)
-- ARGV   1 window in ms  2 limit (calls a window)  3 tokens a window  4 calls a day  5 calls at once
--        6 micro-USD a day  7 tokens a day; 0 for no limit  8 the model
-- RETURNS { closed | open | half_open, closed_until ms (0 for none),
--         { waiters, calls in the window, calls today, micro-USD today, tokens in the window, tokens today,
--           calls a day and tokens a window as the provider says for the model (0 for unknown) },
--         the limits in force in the order of ARGV, what an operator must mend ('' for nothing) }
--
-- Atomic, since figures of different moments would contradict each other.

-- Tokens of calls that are no longer in the window are taken off by the next ask: so many of them here.
local BOUND = 200

local state = redis.call('HMGET', KEYS[3], 'limit', 'tokens', 'per_day', 'at_once', 'usd_per_day', 'tokens_per_day',
  'closed_until', 'day', 'day_calls', 'day_tokens', 'tokens_used', 'told_per_day:' .. ARGV[8],
  'told_tokens:' .. ARGV[8])
local purse = redis.call('HMGET', KEYS[6], 'usd_per_day', 'day', 'day_usd')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local today = math.floor(now / 86400000)
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
local tokens_used = tonumber(state[11] or 0)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', oldest, 'LIMIT', 0, BOUND)) do
  tokens_used = tokens_used - tonumber(redis.call('HGET', KEYS[8], old) or 0)
end
local breaker = redis.call('HMGET', KEYS[4], 'state', 'until')
local health = breaker[1] or 'closed'
if health == 'open' and tonumber(breaker[2]) <= now then
  health = 'half_open'
end
local closed_until = tonumber(state[7] or 0)
local memory = redis.call('HMGET', KEYS[5], 'since', 'forgot')
if memory[2] then
  -- See admit.lua.
  closed_until = math.max(closed_until, memory[1] + ARGV[1])
end
local is_today, is_paid_today = tonumber(state[8] or 0) == today, tonumber(purse[2] or 0) == today
local figures = { redis.call('ZCARD', KEYS[2]), low, is_today and tonumber(state[9] or 0) or 0,
  is_paid_today and tonumber(purse[3] or 0) or 0, math.max(0, tokens_used),
  is_today and math.max(0, tonumber(state[10] or 0)) or 0, tonumber(state[12] or 0), tonumber(state[13] or 0) }
local limits = {}
for i = 1, 6 do
  limits[i] = tonumber(state[i] or ARGV[i + 1])
end
limits[5] = tonumber(purse[1] or ARGV[6])
return { health, closed_until > now and closed_until or 0, figures, limits,
  redis.call('GET', KEYS[9]) or '' }
