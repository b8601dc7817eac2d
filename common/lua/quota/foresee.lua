-- Foresees when a job's calls will be granted, as the line stands now.
--
-- KEYS   1 calls (list)  2 waiters (zset)  3 line (zset)  4 state (hash)  5 breaker (hash)
--        6 memory (hash)
-- ARGV   1 ticket (the job)  2 window in ms  3 limit (calls a window)  4 calls that will come before
--        it and are not in the line yet, where it does not stand there itself  5 calls that it will
--        make after its next one  6 limit of tokens a window  7 of tokens a day (UTC); 0 for none
-- RETURNS { jobs that wait before it, 1 where it waits in the line itself,
--           ms at which its last call is granted (-1 for unknown), ms of a mean call (-1 for unknown) }
--
-- Atomic, since figures of different moments would contradict each other. A guess: jobs make more
-- calls than they promised, others end early, and a provider may close itself.

local DAY_MS = 86400000
local state = redis.call('HMGET', KEYS[4], 'limit', 'closed_until', 'call_ms', 'tokens', 'tokens_per_day',
  'call_tokens', 'tokens_used', 'day', 'day_tokens')
local window, limit = tonumber(ARGV[2]), tonumber(state[1] or ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local place = redis.call('ZRANK', KEYS[2], ARGV[1])
local jobs = place or redis.call('ZCARD', KEYS[2])
local first = place and redis.call('ZRANK', KEYS[3], ARGV[1]) or redis.call('ZCARD', KEYS[3]) + tonumber(ARGV[4])
local n = first + tonumber(ARGV[5])
local taken = redis.call('LINDEX', KEYS[1], limit - 1 - n % limit)
local free_at = taken and tonumber(taken) + window or now
local closed_until = tonumber(state[2] or 0)
local memory = redis.call('HMGET', KEYS[6], 'since', 'forgot')
if memory[2] then
  -- See admit.lua.
  closed_until = math.max(closed_until, memory[1] + window)
end
local last_at = math.max(free_at, now, closed_until) + math.floor(n / limit) * window
-- Tokens may be what is scarce: all calls up to its last one take what calls took lately.
local token_limit, tokens_per_day = tonumber(state[4] or ARGV[6]), tonumber(state[5] or ARGV[7])
local needed = (n + 1) * tonumber(state[6] or 0)
if token_limit > 0 then
  local beyond = tonumber(state[7] or 0) + needed - token_limit
  last_at = math.max(last_at, now + math.ceil(math.max(0, beyond) / token_limit) * window)
end
if tokens_per_day > 0 then
  local today = math.floor(now / DAY_MS)
  local used = tonumber(state[8] or 0) == today and tonumber(state[9] or 0) or 0
  local days = math.ceil(math.max(0, used + needed - tokens_per_day) / tokens_per_day)
  last_at = math.max(last_at, days > 0 and (today + days) * DAY_MS or 0)
end
if redis.call('HEXISTS', KEYS[5], 'state') == 1 then
  -- Nobody knows when the provider will be back.
  last_at = -1
end
return { jobs, place and 1 or 0, math.floor(last_at), state[3] and math.floor(tonumber(state[3])) or -1 }
