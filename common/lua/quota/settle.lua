-- Records how a granted call ended: what it really took, for the breaker, and where the provider
-- closed itself.
--
-- KEYS   1 state (hash: closed_until, tokens_used, call_ms, call_tokens, day, day_tokens, token_pace,
--        limits, told ones, refusals)  2 breaker (hash)  3 amounts (hash: a grant's tokens)
--        4 flying (zset: grant)  5 waiters (zset)  6 expected (zset)
--        7 line (zset: calls to come)  8 jobs (zset)  9 spent (hash: the business's day, usd)
--        10 purse (hash: the state of the provider's own account: day, day_usd)
--        11 trouble (string)  12 setbacks (string: the job's failures in a row)
-- ARGV   1 grant id  2 healthy | unhealthy | neutral  3 ms for which the provider takes no calls (0
--        for none)  4 failures in a row that open the breaker  5 ms that it stays open
--        6 tokens that it took (-1 for unknown: what was reserved stays)  7 ticket (the job)
--        8 ms that the call took  9 the day of the grant  10 micro-USD that were reserved
--        11 micro-USD that it cost (-1 for unknown: what was reserved stays)  12 tokens that were reserved
--        13 the model  14 calls a day  15 tokens a window, as the provider says; 0 where it does not
--        16 calls a day  17 tokens a window, as they are configured
--        18 1 where the provider refused it as one call too many  19 what an operator must mend ('' for
--        nothing)  20 ms for which that is remembered
-- RETURNS { the breaker's state after that (closed | open | half_open), calls a day, tokens a window in force,
--         failures in a row with this one, whosoever they were, and those of its job (0 where it is none) }
--
-- Atomic, since the failures of all workers count in one row, and since only the one probe may
-- close or re-open a half-open breaker.
--
-- A provider that refuses call after call, and says each time that it takes the next one soon, is left alone for
-- SHORTEST_MS at its second refusal in a row and twice as long each time, up to LONGEST_MS. Calls that were under
-- way when it closed itself say nothing new.

local grant, health, closed_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local threshold, open_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local SHORTEST_MS, LONGEST_MS, MOST_REFUSALS, SETBACKS_MS = 1000, 60000, 10, 86400000
if closed_ms > 0 then
  local closed = redis.call('HMGET', KEYS[1], 'closed_until', 'refusals')
  local before, refusals = tonumber(closed[1] or 0), tonumber(closed[2] or 0)
  if ARGV[18] == '1' then
    if before <= now then
      refusals = math.min(refusals + 1, MOST_REFUSALS)
      redis.call('HSET', KEYS[1], 'refusals', refusals)
    end
    if refusals > 1 then
      closed_ms = math.max(closed_ms, math.min(LONGEST_MS, SHORTEST_MS * 2 ^ (refusals - 2)))
    end
  end
  redis.call('HSET', KEYS[1], 'closed_until', string.format('%.0f', math.max(before, now + closed_ms)))
end

if health == 'healthy' then
  redis.call('HDEL', KEYS[1], 'refusals')
  redis.call('DEL', KEYS[11], KEYS[12])
elseif ARGV[19] ~= '' then
  redis.call('SET', KEYS[11], ARGV[19], 'PX', ARGV[20])
end

redis.call('ZREM', KEYS[4], grant)
local took, reserved = tonumber(ARGV[6]), redis.call('HGET', KEYS[3], grant)
if took >= 0 and reserved then
  redis.call('HSET', KEYS[3], grant, took)
  redis.call('HINCRBY', KEYS[1], 'tokens_used', took - tonumber(reserved))
  -- What was not taken leaves room in the pace of bulk calls too.
  local pace = redis.call('HMGET', KEYS[1], 'token_pace', 'ms_per_token')
  if pace[1] and pace[2] then
    redis.call('HSET', KEYS[1], 'token_pace', tonumber(pace[1]) + (took - tonumber(reserved)) * tonumber(pace[2]))
  end
end

-- What was reserved on another day is forgotten with it.
if took >= 0 and redis.call('HGET', KEYS[1], 'day') == ARGV[9] then
  redis.call('HINCRBY', KEYS[1], 'day_tokens', took - tonumber(ARGV[12]))
end
for field, told in pairs({ ['told_per_day:'] = ARGV[14], ['told_tokens:'] = ARGV[15] }) do
  if told ~= '0' then
    redis.call('HSET', KEYS[1], field .. ARGV[13], told)
  end
end
local limits = redis.call('HMGET', KEYS[1], 'per_day', 'tokens')
local per_day, tokens = tonumber(limits[1] or ARGV[16]), tonumber(limits[2] or ARGV[17])

local cost = tonumber(ARGV[11])
if cost >= 0 then
  for key, field in pairs({ [KEYS[10]] = 'day_usd', [KEYS[9]] = 'usd' }) do
    if redis.call('HGET', key, 'day') == ARGV[9] then
      redis.call('HINCRBY', key, field, cost - tonumber(ARGV[10]))
    end
  end
end

-- How long calls take and how many tokens, as moving means: by when the promised ones will come, and
-- what they will take.
local CALLS_IN_MEAN, MAX_PROMISED = 8, 9
if took > 0 then
  local mean = tonumber(redis.call('HGET', KEYS[1], 'call_tokens') or took)
  redis.call('HSET', KEYS[1], 'call_tokens', mean + (took - mean) / CALLS_IN_MEAN)
end
local ticket, call_ms = ARGV[7], tonumber(ARGV[8])
if health == 'healthy' then
  local mean = tonumber(redis.call('HGET', KEYS[1], 'call_ms') or call_ms)
  redis.call('HSET', KEYS[1], 'call_ms', mean + (call_ms - mean) / CALLS_IN_MEAN)
elseif not redis.call('ZSCORE', KEYS[5], ticket) then
  -- Nobody knows when the job comes back: what it promised keeps no places.
  for n = 1, MAX_PROMISED do
    redis.call('ZREM', KEYS[7], ticket .. ':' .. n)
  end
  redis.call('ZREM', KEYS[6], ticket)
  redis.call('ZREM', KEYS[8], ticket)
end

local function open()
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'state', 'open', 'until', now + open_ms)
  return 'open'
end

local setbacks = 0
if health == 'unhealthy' then
  setbacks = redis.call('INCR', KEYS[12])
  redis.call('PEXPIRE', KEYS[12], SETBACKS_MS)
end

local breaker = redis.call('HMGET', KEYS[2], 'state', 'probe')
if not breaker[1] then
  local failures = 0
  if health == 'unhealthy' then
    failures = redis.call('HINCRBY', KEYS[2], 'failures', 1)
  elseif health == 'healthy' then
    redis.call('HDEL', KEYS[2], 'failures')
  end
  return { failures >= threshold and open() or 'closed', per_day, tokens, failures, setbacks }
end
local failures = health == 'unhealthy' and threshold or 0
-- Only the probe's word counts: calls that began before the breaker opened end late.
if breaker[1] ~= 'half_open' or breaker[2] ~= grant then
  return { breaker[1], per_day, tokens, failures, setbacks }
end
if health == 'healthy' then
  redis.call('DEL', KEYS[2])
  return { 'closed', per_day, tokens, failures, setbacks }
elseif health == 'unhealthy' then
  return { open(), per_day, tokens, failures, setbacks }
end
redis.call('HDEL', KEYS[2], 'probe', 'probe_until')
return { 'half_open', per_day, tokens, failures, setbacks }
