-- Grants one call to a provider, or says when to ask again.
--
-- KEYS   1 calls (list: ms of past grants, newest first)  2 waiters (zset: ticket by rank)
--        3 expected (zset: ticket by the ms at which it was told to ask again, or is to be back)
--        4 state (hash: closed_until, an operator's limits, tokens_used, call_ms, day, day_calls,
--        day_usd)
--        5 breaker (hash)  6 granted (zset: grant by its ms)  7 amounts (hash: a grant's tokens)
--        8 flying (zset: grant by the ms at which its call is over at the latest)
--        9 clocks (hash: a business's virtual clock)  10 absent (zset: ticket by rank)
--        11 line (zset: calls to come by rank: `ticket` asked for, `ticket:n` promised)
--        12 jobs (zset: ticket by rank, of every job with a call in the line)
--        13 spent (hash: what the business had on a day, of all providers: day, calls, usd)
--        14 memory (hash, of all providers: generation, since, forgot)
-- ARGV   1 ticket (the job)  2 business  3 ms at which the job was accepted  4 1 for a job under way
--        5 calls that it will make after this one  6 grant id  7 tokens that the call may take
--        8 the generation of Redis' memory that the caller knows; '' for none
--        9 window in ms  10 longest duration of a call in ms  11 limit (calls a window)
--        12 limit of tokens a window  13 of calls a day (UTC)  14 of calls at once  15 of micro-USD a
--        day  16 the business's of calls a day  17 the business's of micro-USD a day; 0 for no limit
--        18 micro-USD that the call may cost
-- RETURNS { 'granted', day } | { 'probe', day } (granted, and its outcome decides on the breaker)
--         | { 'throttled' | 'open' | 'over_budget', ms to ask again at }, each followed by the
--         generation of Redis' memory
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
-- at which its own slot comes free. A waiter that does not come back steps out of the line after a
-- grace; coming back later it takes its old place.
--
-- Jobs under way go before new ones, by age: what is half paid is finished first. New ones take
-- turns by business, by virtual time as in the queue: a business of a thousand jobs does not make
-- another's first one wait.
--
-- A job asks for one call at a time. If a free slot went to whoever asks, all that come free at once
-- would go to as many new jobs, and all would end late. So a job says how many calls it will make
-- after this one, and they keep places in the line; a job is granted a call where those promised
-- before it could be served as fast as they come. A promise that is not kept lapses.
--
-- A flush makes Redis forget the calls of the window. They were made before the new memory was first
-- seen, by whomever: a window after that none of them counts any more. So `memory` holds that moment, and
-- once a caller says that it knew another generation, all providers are closed until a window after it.
-- A caller that knows none cannot tell a flush from a new installation, and closes nothing.

local CALLS, WAITERS, EXPECTED, STATE, BREAKER = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local GRANTED, AMOUNTS, FLYING, CLOCKS, ABSENT = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local LINE, JOBS, SPENT, MEMORY = KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local GRACE_MS, BOUND, DAY_MS, POLL_MS, NEW = 5000, 200, 86400000, 200, 10000000000000
-- Promised calls of a job that keep a place. A job lapses that is not back after so many mean calls,
-- and this at least. Promised calls come as fast as the mean call is long; some are longer.
local MAX_PROMISED, LAPSE_CALLS, LAPSE_MS, SPREAD = 9, 4, 2000, 1.5

local ticket, business, accepted, is_new = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] ~= '1'
local promises, grant, tokens = math.min(tonumber(ARGV[5]), MAX_PROMISED), ARGV[6], tonumber(ARGV[7])
local window, longest_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local state = redis.call('HMGET', STATE, 'limit', 'tokens', 'per_day', 'at_once', 'closed_until',
  'tokens_used', 'day', 'day_calls', 'virtual', 'call_ms', 'generation', 'closed_in',
  'usd_per_day', 'day_usd')
local limit, token_limit = tonumber(state[1] or ARGV[11]), tonumber(state[2] or ARGV[12])
local per_day, at_once = tonumber(state[3] or ARGV[13]), tonumber(state[4] or ARGV[14])
local usd_limit, cost = tonumber(state[13] or ARGV[15]), tonumber(ARGV[18])
local budget_calls, budget_usd = tonumber(ARGV[16]), tonumber(ARGV[17])
local closed_until, virtual, call_ms = tonumber(state[5] or 0), tonumber(state[9] or 0), tonumber(state[10] or 0)
local lapse_ms = math.min(longest_ms, math.max(LAPSE_MS, LAPSE_CALLS * call_ms))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local today = math.floor(now / DAY_MS)
local tomorrow_at = (today + 1) * DAY_MS

local memory = redis.call('HMGET', MEMORY, 'generation', 'since', 'forgot')
local generation, since, forgot = memory[1] or grant, tonumber(memory[2] or now), memory[3]
if not memory[1] then
  redis.call('HSET', MEMORY, 'generation', generation, 'since', since)
end
if ARGV[8] ~= '' and ARGV[8] ~= generation and not forgot then
  forgot = '1'
  redis.call('HSET', MEMORY, 'forgot', forgot)
end
if forgot then
  closed_until = math.max(closed_until, since + window)
end
-- Workers of an earlier release go by the provider's own generation: they must find one, and that it
-- was closed for already.
local own = state[11] or generation
if not state[11] then
  redis.call('HSET', STATE, 'generation', own)
end
if forgot and state[12] ~= own then
  redis.call('HSET', STATE, 'closed_in', own, 'closed_until', closed_until)
end

local breaker = redis.call('HMGET', BREAKER, 'state', 'until', 'probe_until')
if breaker[1] == 'open' and now < tonumber(breaker[2]) then
  return { 'open', tonumber(breaker[2]), generation }
end
if breaker[1] == 'half_open' and breaker[3] and now < tonumber(breaker[3]) then
  return { 'open', tonumber(breaker[3]), generation }
end

local function leave_line(job)
  local places = { job }
  for n = 1, MAX_PROMISED do
    places[n + 1] = job .. ':' .. n
  end
  redis.call('ZREM', LINE, unpack(places))
  redis.call('ZREM', JOBS, job)
  redis.call('ZREM', WAITERS, job)
  redis.call('ZREM', EXPECTED, job)
end

-- Calls and micro-USD of today, out of the fields `day`, calls and usd.
local function of_today(day, calls, usd)
  if tonumber(day or 0) ~= today then
    return 0, 0
  end
  return tonumber(calls or 0), tonumber(usd or 0)
end

-- A promised call stands right behind the job's earlier ones: by rank, and then by name.
local function promise(rank)
  for n = 1, promises do
    redis.call('ZADD', LINE, rank, ticket .. ':' .. n)
  end
  redis.call('ZADD', JOBS, rank, ticket)
end

-- The line's keys outlive whoever was told the latest moment.
local function keep_line(until_at)
  for _, key in ipairs({ WAITERS, EXPECTED, LINE, JOBS }) do
    redis.call('PEXPIRE', key, math.max(DAY_MS, until_at - now + window))
  end
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', EXPECTED, '-inf', now - GRACE_MS, 'LIMIT', 0, BOUND)) do
  local rank = redis.call('ZSCORE', WAITERS, gone)
  if rank then
    redis.call('ZADD', ABSENT, rank, gone)
    redis.call('PEXPIRE', ABSENT, DAY_MS)
  end
  leave_line(gone)
end

-- Whoever is over its budget stands in no line: it would hold up those behind it until tomorrow.
local business_calls, business_usd = 0, 0
if budget_calls > 0 or budget_usd > 0 then
  business_calls, business_usd = of_today(unpack(redis.call('HMGET', SPENT, 'day', 'calls', 'usd')))
  if (budget_calls > 0 and business_calls >= budget_calls)
    or (budget_usd > 0 and business_usd + cost > budget_usd) then
    leave_line(ticket)
    return { 'over_budget', tomorrow_at, generation }
  end
end

local function rank_of_new()
  local rank = tonumber(redis.call('ZSCORE', WAITERS, ticket) or redis.call('ZSCORE', ABSENT, ticket) or 0)
  if rank < NEW then
    local turn = math.max(virtual, tonumber(redis.call('HGET', CLOCKS, business) or 0)) + 1
    redis.call('HSET', CLOCKS, business, turn)
    redis.call('PEXPIRE', CLOCKS, DAY_MS)
    rank = NEW + turn
  end
  return rank
end

local rank = is_new and rank_of_new() or accepted
redis.call('ZREM', ABSENT, ticket)
leave_line(ticket)
redis.call('ZADD', WAITERS, rank, ticket)
redis.call('ZADD', LINE, rank, ticket)
promise(rank)
-- Those before the caller: jobs that wait, all jobs, and the calls that these promised.
local waiting = redis.call('ZRANK', WAITERS, ticket)
local jobs = redis.call('ZRANK', JOBS, ticket)
local promised = redis.call('ZRANK', LINE, ticket) - waiting

-- When the slot comes free that is the caller's once `n` calls have taken one.
local function slot_at(n)
  local windows = math.floor(n / limit)
  local taken = redis.call('LINDEX', CALLS, limit - 1 - n % limit)
  local free_at = taken and tonumber(taken) + window or now
  return math.max(free_at, now) + windows * window
end

-- When the caller's turn is: there is a slot behind those who wait, and slots for what was promised
-- by when it comes. Who is held up by promises alone, or by many, asks again halfway: promises that
-- are not kept must leave no slot unused.
local function turn_at()
  local slot = slot_at(waiting)
  if promised == 0 then
    return slot
  end
  local patience = SPREAD * call_ms * promised / jobs
  local turn = math.ceil(slot_at(waiting + promised) - patience)
  if turn <= now then
    return slot
  end
  return math.max(slot, math.min(turn, now + math.max(lapse_ms, math.ceil((turn - now) / 2))))
end

-- When the window has room for the caller's tokens. A call that is larger than the limit is let
-- through alone: refusing it for ever would help nobody.
local function room_at()
  local used = tonumber(state[6] or 0)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', GRANTED, '-inf', now - window, 'LIMIT', 0, BOUND)) do
    used = used - tonumber(redis.call('HGET', AMOUNTS, old) or 0)
    redis.call('ZREM', GRANTED, old)
    redis.call('HDEL', AMOUNTS, old)
  end
  redis.call('HSET', STATE, 'tokens_used', used)
  local needed = used + math.min(tokens, token_limit) - token_limit
  if needed <= 0 then
    return now
  end
  local taken = redis.call('ZRANGE', GRANTED, 0, BOUND - 1, 'WITHSCORES')
  for i = 1, #taken, 2 do
    needed = needed - tonumber(redis.call('HGET', AMOUNTS, taken[i]) or 0)
    if needed <= 0 then
      return tonumber(taken[i + 1]) + window
    end
  end
  return now + window
end

local at = math.max(turn_at(), closed_until)
if token_limit > 0 then
  at = math.max(at, room_at())
  if waiting > 0 then
    -- A small call does not slip past a large one that waits for room.
    local first = redis.call('ZRANGE', WAITERS, 0, 0)[1]
    at = math.max(at, tonumber(redis.call('ZSCORE', EXPECTED, first) or 0))
  end
end
if at_once > 0 then
  redis.call('ZREMRANGEBYSCORE', FLYING, '-inf', now)
  local beyond = redis.call('ZCARD', FLYING) + waiting + 1 - at_once
  if beyond > 0 then
    -- Nobody knows when a call will end: about as many end in the time of one as run at once.
    at = math.max(at, now + math.max(POLL_MS, math.ceil(call_ms * beyond / at_once)))
  end
end
local day_calls, day_usd = of_today(state[7], state[8], state[14])
if (per_day > 0 and day_calls + waiting >= per_day) or (usd_limit > 0 and day_usd + cost > usd_limit) then
  at = math.max(at, tomorrow_at)
end

if at > now then
  redis.call('ZADD', EXPECTED, at, ticket)
  keep_line(at)
  return { 'throttled', at, generation }
end

leave_line(ticket)
if promises > 0 then
  promise(accepted)
  -- The grace is for those who wait: a promise lapses at its moment.
  redis.call('ZADD', EXPECTED, now + lapse_ms - GRACE_MS, ticket)
  keep_line(now)
end
if rank - NEW > virtual then
  redis.call('HSET', STATE, 'virtual', rank - NEW)
end
local clock = redis.call('HGET', CLOCKS, business)
if clock and tonumber(clock) <= math.max(virtual, rank - NEW) then
  -- The business has nobody left in the line: its clock is the line's own.
  redis.call('HDEL', CLOCKS, business)
end
redis.call('LPUSH', CALLS, now)
redis.call('LTRIM', CALLS, 0, limit - 1)
redis.call('PEXPIRE', CALLS, 2 * window)
if token_limit > 0 then
  redis.call('ZADD', GRANTED, now, grant)
  redis.call('HSET', AMOUNTS, grant, tokens)
  redis.call('HINCRBY', STATE, 'tokens_used', tokens)
end
if at_once > 0 then
  redis.call('ZADD', FLYING, now + longest_ms, grant)
end
redis.call('HSET', STATE, 'day', today, 'day_calls', day_calls + 1, 'day_usd', day_usd + cost)
if budget_calls > 0 or budget_usd > 0 then
  redis.call('HSET', SPENT, 'day', today, 'calls', business_calls + 1, 'usd', business_usd + cost)
  redis.call('PEXPIRE', SPENT, DAY_MS)
end
if breaker[1] then
  redis.call('HSET', BREAKER, 'state', 'half_open', 'probe', grant, 'probe_until', now + longest_ms)
  return { 'probe', today, generation }
end
return { 'granted', today, generation }
