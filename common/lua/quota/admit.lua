-- Grants one call to a provider, or says when to ask again.
--
-- KEYS   1 calls (list: ms of past grants, newest first)  2 waiters (zset: ticket by rank)
--        3 expected (zset: ticket by the ms at which it was told to ask again)
--        4 state (hash: closed_until, an operator's limits, tokens_used, day, day_calls)
--        5 breaker (hash)  6 granted (zset: grant by its ms)  7 amounts (hash: a grant's tokens)
--        8 flying (zset: grant by the ms at which its call is over at the latest)
--        9 clocks (hash: a business's virtual clock)  10 absent (zset: ticket by rank)
-- ARGV   1 ticket (the job)  2 ms at which a job under way was accepted; '' for a new one  3 limit (calls a window)  4 window in ms
--        5 grant id  6 longest duration of a call in ms  7 tokens that the call may take
--        8 limit of tokens a window  9 of calls a day (UTC)  10 of calls at once; 0 for no limit
--        11 business  12 the generation of Redis' memory that the caller knows; '' for none
-- RETURNS { 'granted', 0 } | { 'probe', 0 } (granted, and its outcome decides on the breaker)
--         | { 'throttled', ms to ask again at } | { 'open', ms to ask again at }, each followed by
--         the generation of Redis' memory
--
-- Atomic, since the check and the taking of a slot are one decision for the whole fleet: all that a
-- call takes is taken at once, or nothing; and so is the choice of the one caller that probes a
-- provider which was down. Redis' own clock only.
--
-- The window is exact: a call is granted when the limit-th last one is a window old. A token bucket
-- would let twice the limit through within a window, once its burst and once its refill.
--
-- Grants are ordered, not raced: whoever waits stands in line by rank, and a slot that is free goes
-- to the caller only where nobody before it in the line could use it. Everybody is told the moment
-- at which its own slot comes free, so that nobody asks in vain. A waiter that does not come back
-- steps out of the line after a grace; coming back later it takes its old place.
--
-- Jobs under way go before new ones, by age: what is half paid is finished first. New ones take
-- turns by business, by virtual time as in the queue: a business of a thousand jobs does not make
-- another's first one wait.

-- A flush makes Redis forget the calls of the window. The callers remember that there was another
-- generation: the first one that says so closes the provider for a window, after which nothing that
-- was forgotten counts any more.

local GRACE_MS, PURGED, DAY_MS, POLL_MS, NEW = 5000, 200, 86400000, 200, 10000000000000
local ticket, grant = ARGV[1], ARGV[5]
local window, call_ms, tokens = tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7])
local state = redis.call('HMGET', KEYS[4], 'limit', 'tokens', 'per_day', 'at_once', 'closed_until',
  'tokens_used', 'day', 'day_calls', 'virtual')
local limit, token_limit = tonumber(state[1] or ARGV[3]), tonumber(state[2] or ARGV[8])
local per_day, at_once = tonumber(state[3] or ARGV[9]), tonumber(state[4] or ARGV[10])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local generation = redis.call('HGET', KEYS[4], 'generation')
local forgot = ARGV[12] ~= '' and ARGV[12] ~= generation
if not generation then
  generation = grant
  redis.call('HSET', KEYS[4], 'generation', generation)
end
if forgot and redis.call('HGET', KEYS[4], 'closed_in') ~= generation then
  state[5] = math.max(tonumber(state[5] or 0), now + window)
  redis.call('HSET', KEYS[4], 'closed_in', generation, 'closed_until', string.format('%.0f', state[5]))
end

local breaker = redis.call('HMGET', KEYS[5], 'state', 'until', 'probe_until')
if breaker[1] == 'open' and now < tonumber(breaker[2]) then
  return { 'open', tonumber(breaker[2]), generation }
end
if breaker[1] == 'half_open' and breaker[3] and now < tonumber(breaker[3]) then
  return { 'open', tonumber(breaker[3]), generation }
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - GRACE_MS, 'LIMIT', 0, PURGED)) do
  local place = redis.call('ZSCORE', KEYS[2], gone)
  if place then
    redis.call('ZADD', KEYS[10], place, gone)
    redis.call('PEXPIRE', KEYS[10], DAY_MS)
  end
  redis.call('ZREM', KEYS[3], gone)
  redis.call('ZREM', KEYS[2], gone)
end

local virtual = tonumber(state[9] or 0)
local rank = tonumber(ARGV[2])
if not rank then
  rank = tonumber(redis.call('ZSCORE', KEYS[2], ticket) or redis.call('ZSCORE', KEYS[10], ticket) or 0)
  if rank < NEW then
    local turn = math.max(virtual, tonumber(redis.call('HGET', KEYS[9], ARGV[11]) or 0)) + 1
    redis.call('HSET', KEYS[9], ARGV[11], turn)
    redis.call('PEXPIRE', KEYS[9], DAY_MS)
    rank = NEW + turn
  end
end
redis.call('ZREM', KEYS[10], ticket)
redis.call('ZADD', KEYS[2], string.format('%.0f', rank), ticket)
local place = redis.call('ZRANK', KEYS[2], ticket)

-- When the slot comes free that is the caller's once everybody before it has taken one.
local function slot_at(n)
  local windows = math.floor(n / limit)
  local taken = redis.call('LINDEX', KEYS[1], limit - 1 - n % limit)
  local free_at = taken and tonumber(taken) + window or now
  return math.max(free_at, now) + windows * window
end

-- When the window has room for the caller's tokens. A call that is larger than the limit is let
-- through alone: refusing it for ever would help nobody.
local function room_at()
  local used = tonumber(state[6] or 0)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - window, 'LIMIT', 0, PURGED)) do
    used = used - tonumber(redis.call('HGET', KEYS[7], old) or 0)
    redis.call('ZREM', KEYS[6], old)
    redis.call('HDEL', KEYS[7], old)
  end
  redis.call('HSET', KEYS[4], 'tokens_used', used)
  local needed = used + math.min(tokens, token_limit) - token_limit
  if needed <= 0 then
    return now
  end
  local taken = redis.call('ZRANGE', KEYS[6], 0, PURGED - 1, 'WITHSCORES')
  for i = 1, #taken, 2 do
    needed = needed - tonumber(redis.call('HGET', KEYS[7], taken[i]) or 0)
    if needed <= 0 then
      return tonumber(taken[i + 1]) + window
    end
  end
  return now + window
end

local at = math.max(slot_at(place), tonumber(state[5] or 0))
if token_limit > 0 then
  at = math.max(at, room_at())
  if place > 0 then
    -- A small call does not slip past a large one that waits for room.
    local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    at = math.max(at, tonumber(redis.call('ZSCORE', KEYS[3], first) or 0))
  end
end
if at_once > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', now)
  if redis.call('ZCARD', KEYS[8]) + place >= at_once then
    -- Nobody knows when a call will end: ask again soon.
    at = math.max(at, now + POLL_MS)
  end
end
local today = math.floor(now / DAY_MS)
local day_calls = tonumber(state[7] or 0) == today and tonumber(state[8] or 0) or 0
if per_day > 0 and day_calls + place >= per_day then
  at = math.max(at, (today + 1) * DAY_MS)
end

if at > now then
  redis.call('ZADD', KEYS[3], at, ticket)
  redis.call('PEXPIRE', KEYS[2], at - now + 2 * window)
  redis.call('PEXPIRE', KEYS[3], at - now + 2 * window)
  return { 'throttled', at, generation }
end

redis.call('ZREM', KEYS[2], ticket)
redis.call('ZREM', KEYS[3], ticket)
if rank - NEW > virtual then
  redis.call('HSET', KEYS[4], 'virtual', rank - NEW)
end
local clock = redis.call('HGET', KEYS[9], ARGV[11])
if clock and tonumber(clock) <= math.max(virtual, rank - NEW) then
  -- The business has nobody left in the line: its clock is the line's own.
  redis.call('HDEL', KEYS[9], ARGV[11])
end
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], 2 * window)
if token_limit > 0 then
  redis.call('ZADD', KEYS[6], now, grant)
  redis.call('HSET', KEYS[7], grant, tokens)
  redis.call('HINCRBY', KEYS[4], 'tokens_used', tokens)
end
if at_once > 0 then
  redis.call('ZADD', KEYS[8], now + call_ms, grant)
end
if per_day > 0 then
  redis.call('HSET', KEYS[4], 'day', today, 'day_calls', day_calls + 1)
end
if breaker[1] then
  redis.call('HSET', KEYS[5], 'state', 'half_open', 'probe', grant, 'probe_until', now + call_ms)
  return { 'probe', 0, generation }
end
return { 'granted', 0, generation }
