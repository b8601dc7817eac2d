-- Hands ready jobs to a worker, each under a lease.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)  9 leases (zset)
--        10 shares (hash)  11 capped (zset)  12 running (zset)  13 freed (set)
-- ARGV   1 most jobs to claim (1 to 500)  2 length of the lease in ms
--        3 most jobs that a business may have under way where its share does not say (0 for any)
-- RETURNS { ms until the next delayed job or lease end is due (-1 for none), epoch,
--           id, message, id, message, … }
--
-- Atomic, since a job must be leased in the step that takes it off the ready list: a worker that
-- dies in between would lose it; and since two workers must never get one job.
--
-- First moves what is due: delayed jobs, and jobs whose lease ran out. At most 200 of each a call,
-- so that a long backlog never makes one call slow. Interactive jobs go first, but every tenth
-- claim prefers a bulk job: bulk work is delayed at most tenfold, never starved.
--
-- A job that was under way goes before all new ones of its class, since its stages are half paid: it
-- stands at FRONT, the older before the younger, and new ones at virtual finish times, above 0. While
-- the queue is draining, only those are handed out, while it is paused nothing is.
--
-- A job whose business has as many under way as it may is set aside in `capped`, with its place, and
-- comes back to that place once one of them leaves its worker: settle.lua names the business in
-- `freed`. So other businesses' jobs are not behind it, and a long backlog of one business is set
-- aside once, at most 1,000 jobs a call. `running` has a member for each leased job of a business that
-- is capped: a set that is counted, not a counter, so that one which an older worker left behind can
-- be found and dropped. A call that finds too little to do looks whether one business more has room,
-- in turns, since its cap may have been raised.

local TICKS, MOVED, BULK_TURN, FRONT, ASIDE = 1000000, 200, 10, -1, 1000
local CLASSES = { 'interactive', 'bulk' }
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local most, lease_ms, default_cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[6], 'virtual:interactive', 'virtual:bulk', 'epoch', 'claimed', 'intake')
local intake = state[5] or 'open'
local virtual = { interactive = tonumber(state[1] or 0), bulk = tonumber(state[2] or 0) }

local any_share = redis.call('EXISTS', KEYS[10]) == 1
local any_cap = any_share or default_cap > 0
local shares = {}
local function share_of(business)
  local share = shares[business]
  if not share then
    local text = any_share and redis.call('HGET', KEYS[10], business) or '||'
    local weight, cap = string.match(text, '^(%d*)|(%d*)|')
    share = { weight = tonumber(weight) or 1, cap = tonumber(cap) or default_cap }
    shares[business] = share
  end
  return share
end

-- The members of a business in `running` and `capped`, which begin with its id and a bar.
local function from(business)
  return '[' .. business .. '|'
end
local function to(business)
  return '(' .. business .. '}'
end

-- How many jobs of capped businesses are under way, with those of this call.
local under_way = {}
local function room_of(business)
  local cap = share_of(business).cap
  if cap == 0 then
    return ASIDE
  end
  under_way[business] = under_way[business] or redis.call('ZLEXCOUNT', KEYS[12], from(business), to(business))
  return math.max(0, cap - under_way[business])
end

-- Jobs of a business that were set aside go back to their places, as many as there is room for.
local function let_back(business)
  local room = room_of(business)
  local members = room > 0 and redis.call('ZRANGEBYLEX', KEYS[11], from(business), to(business), 'LIMIT', 0, room) or {}
  if #members > 0 then
    redis.call('ZREM', KEYS[11], unpack(members))
  end
  local entries = { {}, {} }
  for _, member in ipairs(members) do
    local class, place, id = string.match(member, '^[^|]*|(%d)|(%d+)|(.*)$')
    local list = entries[tonumber(class)]
    list[#list + 1] = string.format('%.0f', place + FRONT)
    list[#list + 1] = id
  end
  for class, list in ipairs(entries) do
    if #list > 0 then
      redis.call('ZADD', ready[CLASSES[class]], unpack(list))
    end
  end
  return #members
end

local function to_back(id, class, business)
  local clock = class .. ':' .. business
  local start = math.max(virtual[class], tonumber(redis.call('HGET', KEYS[5], clock) or 0))
  local finish = string.format('%.0f', start + math.floor(TICKS / share_of(business).weight))
  redis.call('HSET', KEYS[5], clock, finish)
  redis.call('ZADD', ready[class], finish, id)
end

local counted = redis.call('EXISTS', KEYS[12]) == 1
local freed, ended = {}, {}
for _, due in ipairs({ KEYS[4], KEYS[9] }) do
  local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now_ms, 'LIMIT', 0, MOVED)
  if #ids > 0 then
    redis.call('ZREM', due, unpack(ids))
    local records = redis.call('HMGET', KEYS[1], unpack(ids))
    local epochs = redis.call('HMGET', KEYS[8], unpack(ids))
    local front = { interactive = {}, bulk = {} }
    for i, id in ipairs(ids) do
      if records[i] then
        local class, business = string.match(records[i], '^%d+|(%a+)|([^|]*)|')
        if epochs[i] then
          local entries = front[class]
          entries[#entries + 1] = FRONT
          entries[#entries + 1] = id
        else
          to_back(id, class, business)
        end
        if counted and due == KEYS[9] then
          ended[#ended + 1] = business .. '|' .. id
          freed[business] = true
        end
      end
    end
    for class, entries in pairs(front) do
      if #entries > 0 then
        redis.call('ZADD', ready[class], unpack(entries))
      end
    end
  end
end

if #ended > 0 then
  redis.call('ZREM', KEYS[12], unpack(ended))
end
local any_capped = redis.call('EXISTS', KEYS[11]) == 1
if any_capped then
  for _, business in ipairs(redis.call('SPOP', KEYS[13], MOVED)) do
    freed[business] = true
  end
  for business in pairs(freed) do
    let_back(business)
  end
end

local claimed, classes, finishes = {}, {}, {}
local aside = {}
local count = tonumber(state[4] or 0)

local function pop(class, n)
  if intake == 'open' then
    return redis.call('ZPOPMIN', ready[class], n)
  end
  local begun = redis.call('ZRANGEBYSCORE', ready[class], FRONT, FRONT, 'WITHSCORES', 'LIMIT', 0, n)
  local ids = {}
  for i = 1, #begun, 2 do
    ids[#ids + 1] = begun[i]
  end
  if #ids > 0 then
    redis.call('ZREM', ready[class], unpack(ids))
  end
  return begun
end

-- Whether a job's business may have one more under way; sets the job aside where not.
local function may_run(id, record, class, finish)
  local business = any_cap and record and string.match(record, '^%d+|%a+|([^|]*)|')
  if not business or share_of(business).cap == 0 then
    return true
  end
  if room_of(business) > 0 then
    under_way[business] = under_way[business] + 1
    return true
  end
  local place = string.format('%s|%d|%016.0f|%s', business, class == 'bulk' and 2 or 1, finish - FRONT, id)
  aside[#aside + 1] = 0
  aside[#aside + 1] = place
  return false
end

-- Takes up to `n` jobs of a class that may run; returns how many there were.
local function take(class, n)
  local taken, exhausted = 0, false
  while taken < n and #aside < 2 * ASIDE and not exhausted do
    local asked = n - taken
    local popped, ids = pop(class, asked), {}
    for i = 1, #popped, 2 do
      ids[#ids + 1] = popped[i]
    end
    exhausted = #ids < asked
    local records = any_cap and #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
    for i, id in ipairs(ids) do
      local finish = tonumber(popped[2 * i])
      if may_run(id, records[i], class, finish) then
        claimed[#claimed + 1] = id
        classes[#claimed] = class
        finishes[#claimed] = finish
        taken = taken + 1
      end
    end
  end
  return taken
end

if intake ~= 'paused' then
  local bulk_turns = math.floor((count + most) / BULK_TURN) - math.floor(count / BULK_TURN)
  local taken = take('bulk', bulk_turns)
  taken = taken + take('interactive', most - taken)
  take('bulk', most - taken)
end
if #aside > 0 then
  redis.call('ZADD', KEYS[11], unpack(aside))
end

local epoch = math.max(time[1] * 1000000 + time[2], tonumber(state[3] or 0) + 1)
local epoch_text = string.format('%.0f', epoch)
local answer = { -1, epoch_text }
if #claimed > 0 then
  -- Reads first, then one command a key with all of its entries: a command costs more than an entry.
  local records = redis.call('HMGET', KEYS[1], unpack(claimed))
  local epochs, leases, clocks, seen, running = {}, {}, {}, {}, {}
  for i, id in ipairs(claimed) do
    local record, class = records[i], classes[i]
    if record then
      virtual[class] = math.max(virtual[class], finishes[i])
      local business, message = string.match(record, '^%d+|%a+|([^|]*)|(.*)$')
      local clock = class .. ':' .. business
      if not seen[clock] then
        seen[clock] = class
        clocks[#clocks + 1] = clock
      end
      epochs[#epochs + 1] = id
      epochs[#epochs + 1] = epoch_text
      leases[#leases + 1] = now_ms + lease_ms
      leases[#leases + 1] = id
      if any_cap and share_of(business).cap > 0 then
        running[#running + 1] = 0
        running[#running + 1] = business .. '|' .. id
      end
      answer[#answer + 1] = id
      answer[#answer + 1] = message
    end
  end
  if #epochs > 0 then
    redis.call('HSET', KEYS[8], unpack(epochs))
    redis.call('ZADD', KEYS[9], unpack(leases))
    if #running > 0 then
      redis.call('ZADD', KEYS[12], unpack(running))
    end
    -- A business whose last job was taken needs no clock: the class's own is as late.
    local idle = {}
    for i, last in ipairs(redis.call('HMGET', KEYS[5], unpack(clocks))) do
      if last and tonumber(last) <= virtual[seen[clocks[i]]] then
        idle[#idle + 1] = clocks[i]
      end
    end
    if #idle > 0 then
      redis.call('HDEL', KEYS[5], unpack(idle))
    end
  end
  redis.call('HSET', KEYS[6], 'epoch', epoch_text, 'claimed', count + #claimed,
    'virtual:interactive', string.format('%.0f', virtual.interactive),
    'virtual:bulk', string.format('%.0f', virtual.bulk))
end

-- Members whose jobs no longer have a lease: left behind by a worker that does not know of them.
local function drop_strays(business)
  local members = redis.call('ZRANGEBYLEX', KEYS[12], from(business), to(business), 'LIMIT', 0, ASIDE)
  local ids = {}
  for i, member in ipairs(members) do
    ids[i] = string.match(member, '|(.*)$')
  end
  for i, score in ipairs(#ids > 0 and redis.call('ZMSCORE', KEYS[9], unpack(ids)) or {}) do
    if not score then
      redis.call('ZREM', KEYS[12], members[i])
      under_way[business] = nil
    end
  end
end

-- Looks at the business after the one that was looked at last; returns how many jobs came back.
local function look_at_one_more()
  local last = redis.call('HGET', KEYS[6], 'looked_at')
  local first = redis.call('ZRANGEBYLEX', KEYS[11], last and to(last) or '-', '+', 'LIMIT', 0, 1)[1]
  first = first or redis.call('ZRANGEBYLEX', KEYS[11], '-', '+', 'LIMIT', 0, 1)[1]
  local business = first and string.match(first, '^[^|]*')
  if not business then
    return 0
  end
  redis.call('HSET', KEYS[6], 'looked_at', business)
  drop_strays(business)
  return let_back(business)
end

local more = #aside >= 2 * ASIDE
if any_capped and intake == 'open' and #claimed < most then
  more = look_at_one_more() > 0 or more
end
if any_capped and redis.call('EXISTS', KEYS[11]) == 0 then
  redis.call('DEL', KEYS[13])
end
if more then
  answer[1] = 0
elseif #claimed < most and intake == 'open' then
  -- Nothing is left: notes in the bell would only wake workers for nothing.
  redis.call('DEL', KEYS[7])
end

for _, due in ipairs({ KEYS[4], KEYS[9] }) do
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if first[2] then
    local wait = math.max(0, tonumber(first[2]) - now_ms)
    if answer[1] < 0 or wait < answer[1] then
      answer[1] = wait
    end
  end
end
return answer
