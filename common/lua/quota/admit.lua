-- Grants one call to a provider, or says when to ask again.
--
-- KEYS   1 calls (list: ms of past grants, newest first)  2 waiters (zset: ticket by rank)
--        3 expected (zset: ticket by the ms at which it was told to ask again)
--        4 state (hash: closed_until, limit)  5 breaker (hash)
-- ARGV   1 ticket (the job)  2 rank (lower goes first)  3 limit (calls a window)  4 window in ms
--        5 grant id  6 longest duration of a probe in ms
-- RETURNS { 'granted', 0 } | { 'probe', 0 } (granted, and its outcome decides on the breaker)
--         | { 'throttled', ms to ask again at } | { 'open', ms to ask again at }
--
-- Atomic, since the check and the taking of a slot are one decision for the whole fleet, and so is
-- the choice of the one caller that probes a provider which was down. Redis' own clock only.
--
-- The window is exact: a call is granted when the limit-th last one is a window old. A token bucket
-- would let twice the limit through within a window, once its burst and once its refill.
--
-- Grants are ordered, not raced: whoever waits stands in line by rank, and a slot that is free goes
-- to the caller only where nobody before it in the line could use it. Everybody is told the moment
-- at which its own slot comes free, so that nobody asks in vain. A waiter that does not come back
-- loses its place after a grace; coming back later it takes its place by rank again.

local GRACE_MS, PURGED = 5000, 100
local ticket, rank, grant = ARGV[1], ARGV[2], ARGV[5]
local window, probe_ms = tonumber(ARGV[4]), tonumber(ARGV[6])
local limit = tonumber(redis.call('HGET', KEYS[4], 'limit') or ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local breaker = redis.call('HMGET', KEYS[5], 'state', 'until', 'probe_until')
if breaker[1] == 'open' and now < tonumber(breaker[2]) then
  return { 'open', tonumber(breaker[2]) }
end
if breaker[1] == 'half_open' and breaker[3] and now < tonumber(breaker[3]) then
  return { 'open', tonumber(breaker[3]) }
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - GRACE_MS, 'LIMIT', 0, PURGED)) do
  redis.call('ZREM', KEYS[3], gone)
  redis.call('ZREM', KEYS[2], gone)
end

redis.call('ZADD', KEYS[2], rank, ticket)
local place = redis.call('ZRANK', KEYS[2], ticket)

-- When the slot comes free that is the caller's once everybody before it has taken one.
local function slot_at(n)
  local windows = math.floor(n / limit)
  local taken = redis.call('LINDEX', KEYS[1], limit - 1 - n % limit)
  local free_at = taken and tonumber(taken) + window or now
  return math.max(free_at, now) + windows * window
end

local at = math.max(slot_at(place), tonumber(redis.call('HGET', KEYS[4], 'closed_until') or 0))
if at > now then
  redis.call('ZADD', KEYS[3], at, ticket)
  redis.call('PEXPIRE', KEYS[2], at - now + 2 * window)
  redis.call('PEXPIRE', KEYS[3], at - now + 2 * window)
  return { 'throttled', at }
end

redis.call('ZREM', KEYS[2], ticket)
redis.call('ZREM', KEYS[3], ticket)
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], 2 * window)
if breaker[1] then
  redis.call('HSET', KEYS[5], 'state', 'half_open', 'probe', grant, 'probe_until', now + probe_ms)
  return { 'probe', 0 }
end
return { 'granted', 0 }
