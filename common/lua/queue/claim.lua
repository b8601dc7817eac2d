-- Hands ready jobs to a worker, each under a lease.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)  9 leases (zset)
--        10 shares (hash)  11 capped (zset)  12 running (zset)  13 freed (set)  14 places (hash)
--        15 roster (zset)
-- ARGV   1 most jobs to claim (0 to 500; 0 for a claimer that leaves)  2 length of the lease in ms
--        3 concurrency cap of a business whose share does not say (0 for none)
--        4 the claimer's name  5 1 where its last claim found nothing, either
-- RETURNS { ms after which to claim again (0 for at once), epoch, id, message, id, message, … }
--
-- Atomic, since a job must be leased in the step that takes it off the ready list: a worker that
-- dies in between would lose it; and since two workers must never get one job.
--
-- Bounded: a call moves at most 200 due jobs, as many expired leases, lets 500 capped jobs back and
-- sets 500 aside. What is left is marked, and the answer says to claim again at once. Nothing is
-- removed before it stands in its new place: a command that fails in between loses no job.
--
-- Order: interactive jobs go first, but every tenth claim prefers a bulk job, so that bulk work is
-- delayed at most tenfold, never starved. A job that was under way goes before all new ones of its
-- class, since its stages are half paid: it stands at FRONT, the older before the younger, and new
-- ones at virtual finish times, above 0. While the queue is draining, only those are handed out,
-- while it is paused nothing is; nor before Redis was told, since a flush makes it forget a pause.
--
-- Concurrency caps: a job whose business has as many under way as it may is set aside in `capped`,
-- with its place, and `places` says where. It comes back to that place once one of them leaves its
-- worker: settle.lua names the business in `freed`. So other businesses' jobs are not behind it.
-- `running` has a member for each leased job of a business that is capped: a set that is counted,
-- not a counter, so that one which an older worker left behind can be found and dropped. A claim
-- that finds too little to do looks whether one business more has room, in turns.
--
-- Idle claimers do not all wake for one job. `roster` names the few that have promised to look, and
-- when: the k-th of them by the k-th due time, and k ticks from now at the latest. Each claim that
-- finds nothing fills the first gap, or waits for the bell where there is none. A claimer that gets
-- all it asked for leaves the roster, and rings for another where nobody else would look in time.

local TICKS, MOVED, BULK_TURN, FRONT, ASIDE, BACK, STRAYS = 1000000, 200, 10, -1, 500, 500, 50
local NOTES, PEEKED = 32, 50
-- A look each TICK_MS finds what has no note: expired leases. One that died is replaced by the next.
local TICK_MS, LOOKERS, LATE_MS = 500, 8, 1000
-- Who is not on the roster looks now and then, in case all of it died; a newcomer once the promises
-- of a roster that died before it came have run out.
local NEWCOMER_MS, FALLBACK_MS = 4500, 30000
local CLASSES = { 'interactive', 'bulk' }
local MESSAGES, DELAYED, CLOCKS, STATE, BELL = KEYS[1], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local EPOCHS, LEASES, SHARES, CAPPED, RUNNING = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local FREED, PLACES, ROSTER = KEYS[13], KEYS[14], KEYS[15]
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local most, lease_ms, default_cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local claimer, was_idle = ARGV[4], ARGV[5] == '1'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', STATE, 'virtual:interactive', 'virtual:bulk', 'epoch', 'claimed',
  'intake', 'looked_at', 'strays_at')
local virtual = { interactive = tonumber(state[1] or 0), bulk = tonumber(state[2] or 0) }
local last_epoch, count, intake = tonumber(state[3] or 0), tonumber(state[4] or 0), state[5] or 'untold'
local looked_at, strays_at = state[6], state[7]

local any_share = redis.call('EXISTS', SHARES) == 1
local any_cap = any_share or default_cap > 0
local any_capped = redis.call('EXISTS', CAPPED) == 1
local more = false

local shares = {}
local function share_of(business)
  local share = shares[business]
  if not share then
    local text = any_share and redis.call('HGET', SHARES, business) or '||'
    local weight, cap = string.match(text, '^(%d*)|(%d*)|')
    share = { weight = tonumber(weight) or 1, cap = tonumber(cap) or default_cap }
    shares[business] = share
  end
  return share
end

-- A record's class, business and message; nothing where it cannot be read.
local function parse(record)
  local class, business, message = string.match(record or '', '^%d+|(%a+)|([^|]*)|(.*)$')
  if ready[class] then
    return class, business, message
  end
end

-- Forgets jobs without a record that can be read: the sweep writes them anew from their rows.
local function forget(ids)
  if #ids > 0 then
    redis.call('HDEL', EPOCHS, unpack(ids))
    redis.call('HDEL', MESSAGES, unpack(ids))
  end
end

local function append(list, a, b)
  list[#list + 1] = a
  list[#list + 1] = b
end

local function add_ready(entries)
  for class, key in pairs(ready) do
    if #entries[class] > 0 then
      redis.call('ZADD', key, unpack(entries[class]))
    end
  end
end

-- The members of a business in `running` and `capped`, which begin with its id and a bar.
local function from(business)
  return '[' .. business .. '|'
end
local function to(business)
  return '(' .. business .. '}'
end

-- How many more jobs of a business may be under way; those of this call count.
local under_way = {}
local function room_of(business)
  local cap = share_of(business).cap
  if cap == 0 then
    return math.huge
  end
  under_way[business] = under_way[business] or redis.call('ZLEXCOUNT', RUNNING, from(business), to(business))
  return math.max(0, cap - under_way[business])
end

-- Jobs of a business that were set aside go back to their places, as many as there is room for. A
-- business with more than this call may move stays in `freed`.
local may_let_back = BACK
local function let_back(business)
  local room = room_of(business)
  if room == 0 then
    return
  end
  -- One more than may be moved, to know whether there are more.
  local members = redis.call('ZRANGEBYLEX', CAPPED, from(business), to(business), 'LIMIT', 0,
    math.min(room, may_let_back + 1))
  if #members > may_let_back then
    members[#members] = nil
    redis.call('SADD', FREED, business)
    more = true
  end
  local entries, ids = { interactive = {}, bulk = {} }, {}
  for _, member in ipairs(members) do
    local class, place, id = string.match(member, '^[^|]*|(%d)|(%d+)|(.*)$')
    append(entries[CLASSES[tonumber(class)]], string.format('%.0f', place + FRONT), id)
    ids[#ids + 1] = id
  end
  if #members > 0 then
    add_ready(entries)
    redis.call('ZREM', CAPPED, unpack(members))
    redis.call('HDEL', PLACES, unpack(ids))
    may_let_back = may_let_back - #members
  end
end

-- The place of a new job: see push.lua.
local function finish_of(class, business)
  local clock = class .. ':' .. business
  local start = math.max(virtual[class], tonumber(redis.call('HGET', CLOCKS, clock) or 0))
  local finish = string.format('%.0f', start + math.floor(TICKS / share_of(business).weight))
  redis.call('HSET', CLOCKS, clock, finish)
  return finish
end

-- Delayed jobs whose time has come, and jobs whose lease ran out, become ready.
local counted = redis.call('EXISTS', RUNNING) == 1
local freed, ended = {}, {}
local function move_due(due)
  local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now_ms, 'LIMIT', 0, MOVED)
  if #ids == 0 then
    return
  end
  more = more or #ids == MOVED
  local records, epochs = redis.call('HMGET', MESSAGES, unpack(ids)), redis.call('HMGET', EPOCHS, unpack(ids))
  local entries, unreadable = { interactive = {}, bulk = {} }, {}
  for i, id in ipairs(ids) do
    local class, business = parse(records[i])
    if class then
      append(entries[class], epochs[i] and FRONT or finish_of(class, business), id)
      if counted and due == LEASES then
        ended[#ended + 1] = business .. '|' .. id
        freed[business] = true
      end
    else
      unreadable[#unreadable + 1] = id
    end
  end
  add_ready(entries)
  redis.call('ZREM', due, unpack(ids))
  forget(unreadable)
end
move_due(DELAYED)
move_due(LEASES)
if #ended > 0 then
  redis.call('ZREM', RUNNING, unpack(ended))
end

if any_capped then
  for _, business in ipairs(redis.call('SPOP', FREED, MOVED)) do
    freed[business] = true
  end
  -- In order, so that what a call does can be foretold.
  local businesses = {}
  for business in pairs(freed) do
    businesses[#businesses + 1] = business
  end
  table.sort(businesses)
  for _, business in ipairs(businesses) do
    let_back(business)
  end
end

-- The first jobs of a class, behind those that this call has seen.
local seen = { interactive = 0, bulk = 0 }
local function peek(class, n)
  if intake == 'open' then
    return redis.call('ZRANGE', ready[class], seen[class], seen[class] + n - 1, 'WITHSCORES')
  end
  return redis.call('ZRANGEBYSCORE', ready[class], FRONT, FRONT, 'WITHSCORES', 'LIMIT', seen[class], n)
end

local claimed, unreadable, aside, places = {}, {}, {}, {}
local function set_aside(id, class, business, finish)
  local member = string.format('%s|%d|%016.0f|%s', business, class == 'bulk' and 2 or 1, finish - FRONT, id)
  append(aside, 0, member)
  append(places, id, member)
end

-- Takes up to `n` jobs of a class that may run, until so many were set aside in this call; returns
-- how many there were.
local function take(class, n, most_aside)
  local taken = 0
  while taken < n and #aside < 2 * most_aside do
    -- With caps many may have to be set aside before one may run: a few are read at once.
    local asked = any_cap and math.max(n - taken, PEEKED) or n - taken
    local found, ids = peek(class, asked), {}
    for i = 1, #found, 2 do
      ids[#ids + 1] = found[i]
    end
    local records = #ids > 0 and redis.call('HMGET', MESSAGES, unpack(ids)) or {}
    for i, id in ipairs(ids) do
      if taken == n or #aside >= 2 * most_aside then
        break
      end
      seen[class] = seen[class] + 1
      local finish, _, business, message = tonumber(found[2 * i]), parse(records[i])
      if not business then
        unreadable[#unreadable + 1] = id
      elseif any_cap and room_of(business) == 0 then
        set_aside(id, class, business, finish)
      else
        if under_way[business] then
          under_way[business] = under_way[business] + 1
        end
        claimed[#claimed + 1] = { id = id, class = class, business = business, message = message, finish = finish }
        taken = taken + 1
      end
    end
    if #ids < asked then
      break
    end
  end
  more = more or (taken < n and #aside >= 2 * most_aside)
  return taken
end

if (intake == 'open' or intake == 'draining') and most > 0 then
  local bulk_turns = math.floor((count + most) / BULK_TURN) - math.floor(count / BULK_TURN)
  -- A capped backlog of one class leaves the other something of what a call may set aside.
  local taken = take('bulk', bulk_turns, ASIDE * 2 / 5)
  taken = taken + take('interactive', most - taken, ASIDE * 4 / 5)
  take('bulk', most - taken, ASIDE)
end

-- One command a key with all of its entries: a command costs more than an entry.
local epoch = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last_epoch + 1))
local answer = { 0, epoch }
if #claimed > 0 then
  local ids, epochs, leases, running, clocks, class_of = {}, {}, {}, {}, {}, {}
  for i, job in ipairs(claimed) do
    ids[i] = job.id
    virtual[job.class] = math.max(virtual[job.class], job.finish)
    local clock = job.class .. ':' .. job.business
    if not class_of[clock] then
      class_of[clock] = job.class
      clocks[#clocks + 1] = clock
    end
    append(epochs, job.id, epoch)
    append(leases, now_ms + lease_ms, job.id)
    if any_cap and share_of(job.business).cap > 0 then
      append(running, 0, job.business .. '|' .. job.id)
    end
    append(answer, job.id, job.message)
  end
  redis.call('HSET', EPOCHS, unpack(epochs))
  redis.call('ZADD', LEASES, unpack(leases))
  if #running > 0 then
    redis.call('ZADD', RUNNING, unpack(running))
  end
  if any_capped then
    -- A worker of an earlier release lets jobs back and leaves this note.
    redis.call('HDEL', PLACES, unpack(ids))
  end
  -- A business whose last job was taken needs no clock: the class's own is as late.
  local idle = {}
  for i, last in ipairs(redis.call('HMGET', CLOCKS, unpack(clocks))) do
    if last and tonumber(last) <= virtual[class_of[clocks[i]]] then
      idle[#idle + 1] = clocks[i]
    end
  end
  if #idle > 0 then
    redis.call('HDEL', CLOCKS, unpack(idle))
  end
  redis.call('HSET', STATE, 'epoch', epoch, 'claimed', count + #claimed,
    'virtual:interactive', string.format('%.0f', virtual.interactive),
    'virtual:bulk', string.format('%.0f', virtual.bulk))
end
if #aside > 0 then
  redis.call('ZADD', CAPPED, unpack(aside))
  redis.call('HSET', PLACES, unpack(places))
end
for class, key in pairs(ready) do
  -- Whatever was seen now stands elsewhere, and it came first.
  if seen[class] > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, seen[class] - 1)
  end
end
forget(unreadable)

-- Members of `running` whose jobs no longer have a lease were left behind by a worker of an earlier
-- release. A few are looked at a call, in turns.
local function drop_strays()
  local members = redis.call('ZRANGEBYLEX', RUNNING, strays_at and '(' .. strays_at or '-', '+', 'LIMIT', 0, STRAYS)
  if #members == STRAYS then
    redis.call('HSET', STATE, 'strays_at', members[#members])
  elseif strays_at then
    redis.call('HDEL', STATE, 'strays_at')
  end
  local ids = {}
  for i, member in ipairs(members) do
    ids[i] = string.match(member, '|(.*)$')
  end
  for i, score in ipairs(#ids > 0 and redis.call('ZMSCORE', LEASES, unpack(ids)) or {}) do
    if not score then
      redis.call('ZREM', RUNNING, members[i])
      under_way[string.match(members[i], '^[^|]*')] = nil
    end
  end
end

-- Looks at the business after the one that was looked at last: its cap may have been raised.
local function look_at_one_more()
  local first = redis.call('ZRANGEBYLEX', CAPPED, looked_at and to(looked_at) or '-', '+', 'LIMIT', 0, 1)[1]
  first = first or redis.call('ZRANGEBYLEX', CAPPED, '-', '+', 'LIMIT', 0, 1)[1]
  local business = first and string.match(first, '^[^|]*')
  if business then
    redis.call('HSET', STATE, 'looked_at', business)
    local before = may_let_back
    let_back(business)
    more = more or may_let_back < before
  end
end

if any_capped and intake == 'open' and #claimed < most then
  drop_strays()
  look_at_one_more()
end
if any_capped and redis.call('EXISTS', CAPPED) == 0 then
  redis.call('DEL', FREED)
end

-- The times at which others have promised to look, the earliest first.
local function lookers()
  local late = redis.call('ZRANGEBYSCORE', ROSTER, '-inf', now_ms - LATE_MS, 'LIMIT', 0, MOVED)
  if #late > 0 then
    redis.call('ZREM', ROSTER, unpack(late))
  end
  local times = {}
  local found = redis.call('ZRANGEBYSCORE', ROSTER, now_ms, '+inf', 'WITHSCORES', 'LIMIT', 0, LOOKERS)
  for i = 2, #found, 2 do
    times[#times + 1] = tonumber(found[i])
  end
  return times
end

-- The first time at which somebody should look and nobody has promised to; nothing where all have
-- somebody, of the first `n`.
local function gap(n)
  local times = lookers()
  local due = redis.call('ZRANGE', DELAYED, 0, n - 1, 'WITHSCORES')
  for k = 1, n do
    local wanted = math.min(now_ms + k * TICK_MS, math.max(now_ms + 1, tonumber(due[2 * k] or math.huge)))
    if not times[k] or times[k] > wanted then
      return wanted
    end
  end
end

-- As many notes in the bell as there is work for, at most NOTES.
local function ring(notes)
  for _ = 1, math.min(notes, NOTES) - redis.call('LLEN', BELL) do
    redis.call('RPUSH', BELL, '1')
  end
end

redis.call('ZREM', ROSTER, claimer)
if #claimed == most then
  -- The caller has no free slot any more: what is left is others' to find.
  local left = intake == 'open' and redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) or 0
  -- Whoever is rung for what is left looks for due jobs, too.
  ring(left > 0 and left or (more or gap(1)) and 1 or 0)
elseif not more then
  if intake == 'open' then
    -- Nothing is left: notes in the bell would only wake workers for nothing.
    redis.call('DEL', BELL)
  end
  local at = gap(LOOKERS)
  if at then
    redis.call('ZADD', ROSTER, at, claimer)
  else
    at = now_ms + (was_idle and FALLBACK_MS + time[2] % FALLBACK_MS or NEWCOMER_MS)
  end
  answer[1] = at - now_ms
end
return answer
