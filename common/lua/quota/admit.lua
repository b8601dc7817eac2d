-- Grants one call to a provider, or a turn at it, or says when to ask again.
--
-- KEYS   1 calls (list: ms of past grants, newest first)  2 waiters (zset: ticket by rank)
--        3 expected (zset: ticket by the ms at which it was told to ask again, or is to be back)
--        4 state (hash: closed_until, an operator's limits, tokens_used, call_ms, call_tokens, day, day_calls,
--        day_tokens, day_usd, pace, token_pace, since_bulk)
--        5 breaker (hash)  6 granted (zset: grant by its ms)  7 amounts (hash: a grant's tokens)
--        8 flying (zset: grant by the ms at which its call is over at the latest)
--        9 clocks (hash: a business's virtual clock, of bulk as `bulk|business`)  10 absent (zset: ticket by rank)
--        11 line (zset: calls to come by rank: `ticket` asked for, `ticket:n` promised)
--        12 jobs (zset: ticket by rank, of every job with a call in the line)
--        13 spent (hash: what the business had on a day, of all providers: day, calls, usd)
--        14 memory (hash, of all providers: generation, since, forgot)
--        15 purse (hash: the state of the provider's own account, which is 4 but for a model with limits of
--        its own: money is counted there)
-- ARGV   1 ticket (the job)  2 business  3 ms at which the job was accepted  4 1 for a job under way
--        5 calls that it will make after this one  6 grant id  7 tokens that the call may take
--        8 the generation of Redis' memory that the caller knows; '' for none
--        9 window in ms  10 longest duration of a call in ms  11 limit (calls a window)
--        12 limit of tokens a window  13 of calls a day (UTC)  14 of calls at once  15 of micro-USD a
--        day  16 of tokens a day  17 the business's of calls a day  18 the business's of micro-USD a day;
--        0 for no limit  19 micro-USD that the call may cost
--        20 what is asked for: call | turn | spare  21 interactive | bulk
-- RETURNS { 'granted', day } | { 'probe', day } (granted, and its outcome decides on the breaker)
--         | { 'turn', ms until which the calls are promised }
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
-- Interactive jobs go before bulk ones. Within each priority, jobs under way go before new ones, by
-- age: what is half paid is finished first. New ones take turns by business, by virtual time as in
-- the queue: a business of a thousand jobs does not make another's first one wait.
--
-- A job asks for one call at a time. If a free slot went to whoever asks, all that come free at once
-- would go to as many new jobs, and all would end late. So a job says how many calls it will make
-- after this one, and they keep places in the line; a job is granted a call where those promised
-- before it could be served as fast as they come. A promise that is not kept lapses.
--
-- Bulk calls are paced over the window (GCRA), so that a slot comes free every few seconds for an
-- interactive job. `pace` is the moment at which the calls so far would be over at an even rate,
-- `token_pace` the same by tokens. All calls move them; only bulk calls wait for them. If interactive
-- jobs want the whole limit, one grant in ten is still a bulk one.
--
-- A turn is for a job that buys a search before its first call, and should not buy it long before.
-- It is asked for like a call and takes none. The job then leaves the line, and its calls are
-- promised like those of a job under way, for as long as a promise holds. If it comes later, it has
-- its old place.
--
-- Where a limit of the day binds, a new job is let in only if it can be finished today, with the calls
-- that it promises and those that jobs under way are still to make. What does not fit waits for
-- tomorrow whole, instead of being half paid.
--
-- A spare call is one that its job can do without. It stands in no line: it is granted if nobody
-- waits and more than half of the window is left.
--
-- A flush makes Redis forget the calls of the window. They were made before the new memory was first
-- seen, by whomever: a window after that none of them counts any more. So `memory` holds that moment, and
-- once a caller says that it knew another generation, all providers are closed until a window after it.
-- A caller that knows none cannot tell a flush from a new installation, and closes nothing.

local CALLS, WAITERS, EXPECTED, STATE, BREAKER = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local GRANTED, AMOUNTS, FLYING, CLOCKS, ABSENT = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local LINE, JOBS, SPENT, MEMORY, PURSE = KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local GRACE_MS, BOUND, DAY_MS, POLL_MS, NEW = 5000, 200, 86400000, 200, 10000000000000
-- Promised calls of a job that keep a place. The promises lapse if the job is not back after so many
-- mean calls, and LAPSE_MS at least. Promised calls come as fast as the mean call is long; some are
-- longer.
local MAX_PROMISED, LAPSE_CALLS, LAPSE_MS, SPREAD = 9, 4, 2000, 1.5
-- Ranks: interactive jobs stand before BULK, bulk jobs behind it, spare calls at LAST. One grant in
-- BULK_EVERY is a bulk one. While half of the window is left, bulk calls may be ahead of their pace
-- by BURST calls or a BURST_PART of the limit, else by SLACK calls.
local BULK, LAST, BULK_EVERY = 100000000000000, 1000000000000000, 10
local BURST, BURST_PART, SLACK = 3, 10, 0.5
-- The longest that a turn holds; how many turns count in the mean of their length.
local TURN_MS, CALLS_IN_MEAN = 5000, 8

local ticket, business, accepted, is_new = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] ~= '1'
local promises, grant, tokens = math.min(tonumber(ARGV[5]), MAX_PROMISED), ARGV[6], tonumber(ARGV[7])
local window, longest_ms, asked_for = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[20]
local state = redis.call('HMGET', STATE, 'limit', 'tokens', 'per_day', 'at_once', 'closed_until',
  'tokens_used', 'day', 'day_calls', 'virtual', 'call_ms', 'generation', 'closed_in',
  'tokens_per_day', 'day_tokens', 'virtual_bulk', 'pace', 'token_pace', 'since_bulk', 'turn_ms',
  'call_tokens')
local purse = redis.call('HMGET', PURSE, 'usd_per_day', 'day', 'day_usd')
local limit, token_limit = tonumber(state[1] or ARGV[11]), tonumber(state[2] or ARGV[12])
local per_day, at_once = tonumber(state[3] or ARGV[13]), tonumber(state[4] or ARGV[14])
local usd_limit, cost = tonumber(purse[1] or ARGV[15]), tonumber(ARGV[19])
local tokens_per_day = tonumber(state[13] or ARGV[16])
local budget_calls, budget_usd = tonumber(ARGV[17]), tonumber(ARGV[18])
local is_bulk = ARGV[21] == 'bulk'
local class = is_bulk and BULK or 0
local virtual_field = is_bulk and 'virtual_bulk' or 'virtual'
local clock_field = is_bulk and 'bulk|' .. business or business
local closed_until, call_ms = tonumber(state[5] or 0), tonumber(state[10] or 0)
-- A worker of an earlier release that was handed a bulk job stores its rank as an interactive one's.
local virtual = tonumber((is_bulk and state[15] or not is_bulk and state[9]) or 0) % BULK
local since_bulk, turn_ms = tonumber(state[18] or 0), tonumber(state[19] or 0)
-- What calls took lately says more of those to come than what this one reserves.
local call_tokens = tonumber(state[20] or tokens)
local lapse_ms = math.min(longest_ms, math.max(LAPSE_MS, LAPSE_CALLS * call_ms))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pace, token_pace = math.max(now, tonumber(state[16] or 0)), math.max(now, tonumber(state[17] or 0))
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

-- Two sums of today, out of the fields `day` and theirs.
local function of_today(day, calls, usd)
  if tonumber(day or 0) ~= today then
    return 0, 0
  end
  return tonumber(calls or 0), tonumber(usd or 0)
end

-- A promised call stands right behind the job's earlier ones: by rank, and then by name.
local function promise(rank, calls)
  for n = 1, calls do
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

local old_place = tonumber(redis.call('ZSCORE', ABSENT, ticket) or 0)
local function rank_of_new()
  local place = redis.call('ZSCORE', WAITERS, ticket)
  if not place and redis.call('ZSCORE', JOBS, ticket) then
    -- It had its turn: how long ago says how much earlier than their slots turns may be given.
    local back_by = tonumber(redis.call('ZSCORE', EXPECTED, ticket) or now) + GRACE_MS
    local given_at = back_by - math.max(lapse_ms, TURN_MS)
    turn_ms = turn_ms + (math.max(0, math.min(TURN_MS, now - given_at)) - turn_ms) / CALLS_IN_MEAN
    redis.call('HSET', STATE, 'turn_ms', turn_ms)
    return class + accepted
  end
  local rank = tonumber(place or old_place) % BULK
  rank = rank > 0 and class + rank or 0
  if rank == 0 then
    local turn = math.max(virtual, tonumber(redis.call('HGET', CLOCKS, clock_field) or 0) % BULK) + 1
    redis.call('HSET', CLOCKS, clock_field, turn)
    redis.call('PEXPIRE', CLOCKS, DAY_MS)
    rank = class + NEW + turn
  end
  return rank
end

local rank = asked_for == 'spare' and LAST or is_new and rank_of_new() or class + accepted
redis.call('ZREM', ABSENT, ticket)
leave_line(ticket)
redis.call('ZADD', WAITERS, rank, ticket)
redis.call('ZADD', LINE, rank, ticket)
promise(rank, promises)
-- Those before the caller: jobs that wait, all jobs, and the calls that these promised.
local waiting = redis.call('ZRANK', WAITERS, ticket)
local jobs = redis.call('ZRANK', JOBS, ticket)
local promised = redis.call('ZRANK', LINE, ticket) - waiting
-- One grant in BULK_EVERY is a bulk one where bulk waits, whoever else does: so many interactive jobs at
-- most go before the bulk one in this place. An interactive one goes behind it once it is expected.
local first_bulk = redis.call('ZRANGEBYSCORE', WAITERS, BULK, '(' .. LAST, 'LIMIT', 0, 1)[1]
local is_due, interactive = false, 0
if is_bulk and rank < LAST then
  interactive = redis.call('ZCOUNT', WAITERS, '-inf', '(' .. BULK)
  local before = waiting - interactive
  local most = math.max(0, (before + 1) * (BULK_EVERY - 1) - since_bulk)
  is_due = before == 0 and interactive >= most
  waiting = before + math.min(interactive, most)
elseif first_bulk and since_bulk >= BULK_EVERY - 1
  and tonumber(redis.call('ZSCORE', EXPECTED, first_bulk) or 0) <= now then
  waiting = waiting + 1
end
local is_paced = is_bulk and not is_due

-- The length of a call at an even rate, and of the caller's by its tokens.
local interval = window / limit
local token_interval = token_limit > 0 and window * math.min(tokens, token_limit) / token_limit or 0

-- Tokens of the window: reserved, and taken where that is known.
local used = tonumber(state[6] or 0)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', GRANTED, '-inf', now - window, 'LIMIT', 0, BOUND)) do
  used = used - tonumber(redis.call('HGET', AMOUNTS, old) or 0)
  redis.call('ZREM', GRANTED, old)
  redis.call('HDEL', AMOUNTS, old)
end
redis.call('HSET', STATE, 'tokens_used', used)

-- When the slot comes free that is the caller's once `n` calls have taken one.
local function slot_at(n)
  local windows = math.floor(n / limit)
  local taken = redis.call('LINDEX', CALLS, limit - 1 - n % limit)
  local free_at = taken and tonumber(taken) + window or now
  return math.max(free_at, now) + windows * window
end

-- The same by the pace of bulk calls. Each of the `n` takes as many tokens as the caller's, as far as is known.
local function free_at(n)
  if not is_paced then
    return slot_at(n)
  end
  local is_half_left = slot_at(math.floor(limit / 2)) <= now
  local ahead = is_half_left and math.max(BURST, math.floor(limit / BURST_PART)) - 1 or SLACK
  local even_at = pace + (n - ahead) * interval
  if token_limit > 0 then
    local tokens_ahead = used <= token_limit / 2 and BURST - 1 or SLACK
    even_at = math.max(even_at, token_pace + (n - tokens_ahead) * token_interval)
  end
  return math.max(slot_at(n), math.ceil(even_at))
end

-- When the caller's turn is: there is a slot behind those who wait, and slots for what was promised
-- by when it comes. Who is held up by promises alone, or by many, asks again halfway: promises that
-- are not kept must leave no slot unused.
local function turn_at()
  local lead = asked_for == 'turn' and math.floor(turn_ms) or 0
  local slot = free_at(waiting) - lead
  if asked_for == 'spare' then
    return slot_at(waiting + promised + math.floor(limit / 2))
  elseif promised == 0 or is_due then
    return slot
  end
  local patience = SPREAD * call_ms * promised / jobs
  local turn = math.ceil(free_at(waiting + promised) - patience) - lead
  if turn <= now then
    return slot
  end
  return math.max(slot, math.min(turn, now + math.max(lapse_ms, math.ceil((turn - now) / 2))))
end

-- When the window has room for the caller's tokens. A call that is larger than the limit is let
-- through alone: refusing it for ever would help nobody.
local function room_at()
  local takes = math.min(tokens, token_limit)
  if used + takes <= token_limit then
    return now
  end
  -- Those before the caller take room too, as much as it does as far as is known: if all who wait
  -- were told one moment, they would race for it.
  local needed = used + takes * (waiting + 1) - token_limit
  local taken = redis.call('ZRANGE', GRANTED, 0, BOUND - 1, 'WITHSCORES')
  for i = 1, #taken, 2 do
    needed = needed - tonumber(redis.call('HGET', AMOUNTS, taken[i]) or 0)
    if needed <= 0 then
      return tonumber(taken[i + 1]) + window
    end
  end
  return now + window
end

local at = turn_at()
if interactive > 0 then
  -- Nobody knows how soon the interactive jobs before it are through: it asks again before its share
  -- is due.
  at = math.max(slot_at(0), math.min(at, now + math.ceil((waiting + 1) * interval / 2)))
end
at = math.max(at, closed_until)
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
local day_calls, day_tokens = of_today(state[7], state[8], state[14])
local day_usd = of_today(purse[2], purse[3], 0)
-- One that takes more than a day's tokens has the whole day.
local is_over = tokens_per_day > 0 and day_tokens + math.max(1, math.min(tokens, tokens_per_day)) > tokens_per_day
if is_over or (per_day > 0 and day_calls + waiting >= per_day) or (usd_limit > 0 and day_usd + cost > usd_limit) then
  at = math.max(at, tomorrow_at)
end

if rank - class >= NEW and rank < LAST and (per_day > 0 or tokens_per_day > 0) then
  local others = redis.call('ZCOUNT', LINE, '-inf', '(' .. NEW)
    + redis.call('ZCOUNT', LINE, BULK, '(' .. string.format('%.0f', BULK + NEW))
  local calls, of_tokens = others + 1 + promises, tokens + call_tokens * (others + promises)
  -- A job that takes more than a day has a day of its own.
  local is_fresh = day_calls == 0 and others == 0
  if not is_fresh and ((per_day > 0 and day_calls + calls > per_day)
    or (tokens_per_day > 0 and day_tokens + of_tokens > tokens_per_day)) then
    at = math.max(at, tomorrow_at)
  end
end

if at > now and asked_for == 'spare' then
  leave_line(ticket)
  return { 'throttled', at, generation }
end
if at > now then
  redis.call('ZADD', EXPECTED, at, ticket)
  keep_line(at)
  return { 'throttled', at, generation }
end

local is_turn = asked_for == 'turn'
promises = is_turn and math.min(promises + 1, MAX_PROMISED) or promises
lapse_ms = is_turn and math.max(lapse_ms, TURN_MS) or lapse_ms
leave_line(ticket)
if promises > 0 then
  promise(class + accepted, promises)
  -- The grace is for those who wait: a promise lapses at its moment.
  redis.call('ZADD', EXPECTED, now + lapse_ms - GRACE_MS, ticket)
  keep_line(now)
end
local new_at = rank < LAST and rank - class - NEW or 0
if new_at > virtual then
  redis.call('HSET', STATE, virtual_field, new_at)
end
local clock = redis.call('HGET', CLOCKS, clock_field)
if clock and tonumber(clock) % BULK <= math.max(virtual, new_at) then
  -- The business has nobody left in the line: its clock is the line's own.
  redis.call('HDEL', CLOCKS, clock_field)
end
if is_turn then
  local place = rank - class >= NEW and rank or old_place
  if place > 0 then
    redis.call('ZADD', ABSENT, place, ticket)
    redis.call('PEXPIRE', ABSENT, DAY_MS)
  end
  return { 'turn', now + lapse_ms, generation }
end
redis.call('LPUSH', CALLS, now)
redis.call('LTRIM', CALLS, 0, limit - 1)
redis.call('PEXPIRE', CALLS, 2 * window)
if tokens > 0 then
  redis.call('ZADD', GRANTED, now, grant)
  redis.call('HSET', AMOUNTS, grant, tokens)
  redis.call('HINCRBY', STATE, 'tokens_used', tokens)
end
if at_once > 0 then
  redis.call('ZADD', FLYING, now + longest_ms, grant)
end
redis.call('HSET', STATE, 'day', today, 'day_calls', day_calls + 1, 'day_tokens', day_tokens + tokens,
  'pace', math.min(pace + interval, now + window), 'token_pace', math.min(token_pace + token_interval, now + window),
  'ms_per_token', token_limit > 0 and window / token_limit or 0,
  'since_bulk', asked_for == 'spare' and since_bulk or (is_bulk or not first_bulk) and 0 or since_bulk + 1)
if PURSE ~= STATE and tonumber(purse[2] or 0) ~= today then
  redis.call('HSET', PURSE, 'day', today, 'day_calls', 0, 'day_tokens', 0)
end
redis.call('HSET', PURSE, 'day_usd', day_usd + cost)
if budget_calls > 0 or budget_usd > 0 then
  redis.call('HSET', SPENT, 'day', today, 'calls', business_calls + 1, 'usd', business_usd + cost)
  redis.call('PEXPIRE', SPENT, DAY_MS)
end
if breaker[1] then
  redis.call('HSET', BREAKER, 'state', 'half_open', 'probe', grant, 'probe_until', now + longest_ms)
  return { 'probe', today, generation }
end
return { 'granted', today, generation }
