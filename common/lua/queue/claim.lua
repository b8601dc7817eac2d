-- Hands ready jobs to a worker, each under a lease.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)  9 leases (zset)
--        10 shares (hash)  11 capped (zset)  12 running (zset)  13 freed (set)  14 places (hash)
--        15 roster (zset)
-- ARGV   1 most jobs to claim (0 to 500; 0 for a claimer that leaves)  2 length of the lease in ms
--        3 concurrency cap of businesses without one of their own (0 for none)
--        4 the claimer's name  5 1 if its last claim also found nothing
-- RETURNS { ms after which to claim again (0 for at once), epoch, id, message, id, message, … }
--
-- Atomic for two reasons. A job must be leased in the step that takes it off the ready list: else a
-- worker that dies in between would lose it. And two workers must never get the same job.
--
-- Bounded: a call moves at most 200 due jobs and 200 expired leases, returns 500 capped jobs to the
-- ready list and sets 500 aside. What is left is marked, and the answer says to claim again at
-- once. Nothing is removed before it is in its new place: a command that fails in between loses no
-- job.
--
-- Order: interactive jobs go first, but every tenth claimed job is a bulk job if there is one, so
-- that bulk work is delayed at most tenfold and never starved. Jobs that were under way go before
-- all new ones of their class, because some of their stages are already paid: their score is FRONT,
-- older jobs first. The scores of new jobs are virtual finish times, above 0. A draining queue
-- hands out only jobs that were under way. A paused queue hands out none; nor does one whose intake
-- Redis does not know, because a flush makes Redis forget a pause.
--
-- Concurrency caps: if a business has reached its cap, its next job is set aside in `capped`,
-- together with its score; `places` maps the job to its member there. So it does not block the jobs
-- of other businesses. It returns to its old score when one of the business's jobs leaves its
-- worker: settle.lua then adds the business to `freed`. `running` has a member for each leased job
-- of a business with a cap. It is a set that is counted, not a counter, so that a member that an
-- older worker left behind can be found and dropped. A claim that does not fill all slots also
-- checks one more capped business, round robin, because its cap may have been raised.
--
-- Idle claimers must not all wake up for one job. `roster` lists the few that have promised to
-- look, and when: the k-th at the k-th due time, and at the latest k ticks from now. A claim that
-- finds nothing fills the first gap in the roster; if there is no gap, its claimer waits for the
-- bell. A claimer that gets all the jobs that it asked for leaves the roster. If no other one would
-- look in time, it also rings the bell for a replacement.

local TICKS, MOVED, BULK_TURN, FRONT, ASIDE, BACK, STRAYS = 1000000, 200, 10, -1, 500, 500, 50
local NOTES, PEEKED = 32, 50
-- A look every TICK_MS finds what leaves no note: expired leases. If a claimer on the roster died,
-- the next one looks.
local TICK_MS, LOOKERS, LATE_MS = 500, 8, 1000
-- Claimers that are not on the roster also look from time to time, in case every claimer on it
-- died. A newcomer looks once the promises of such a roster would have lapsed.
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

-- A record's class, business and message; nil if it cannot be read.
local function parse(record)
  local class, business, message = string.match(record or '', '^%d+|(%a+)|([^|]*)|(.*)$')
  if ready[class] then
    return class, business, message
  end
end

-- Forgets jobs whose record is missing or unreadable: the sweep pushes them again from their rows.
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

-- The range of a business's members in `running` and `capped`: they begin with its id and a bar.
local function from(business)
  return '[' .. business .. '|'
end
local function to(business)
  return '(' .. business .. '}'
end

-- How many more jobs a business may have under way, with the jobs of this call counted.
local under_way = {}
local function room_of(business)
  local cap = share_of(business).cap
  if cap == 0 then
    return math.huge
  end
  under_way[business] = under_way[business] or redis.call('ZLEXCOUNT', RUNNING, from(business), to(business))
  return math.max(0, cap - under_way[business])
end

-- Returns set-aside jobs of a business to their old scores, up to its cap. A business with more
-- jobs than this call may move stays in `freed`.
local may_let_back = BACK
local function let_back(business)
  local room = room_of(business)
  if room == 0 then
    return
  end
  -- Reads one more than can be moved, to see whether there are more.
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

-- The score of a new job: see push.lua.
local function finish_of(class, business)
  local clock = class .. ':' .. business
  local start = math.max(virtual[class], tonumber(redis.call('HGET', CLOCKS, clock) or 0))
  local finish = string.format('%.0f', start + math.floor(TICKS / share_of(business).weight))
  redis.call('HSET', CLOCKS, clock, finish)
  return finish
end

-- Makes due delayed jobs and jobs with an expired lease ready.
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
  -- Sorted, so that a call is deterministic.
  local businesses = {}
  for business in pairs(freed) do
    businesses[#businesses + 1] = business
  end
  table.sort(businesses)
  for _, business in ipairs(businesses) do
    let_back(business)
  end
end

-- The next jobs of a class, after those that this call has seen.
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

-- Takes up to `n` jobs of a class whose businesses are below their caps, until this call has set
-- `most_aside` aside. Returns how many were taken.
local function take(class, n, most_aside)
  local taken = 0
  while taken < n and #aside < 2 * most_aside do
    -- With caps, many jobs may have to be set aside before one can run: reads several at once.
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
  -- The limits leave the other class a part of the ASIDE budget if one class has a capped backlog.
  local taken = take('bulk', bulk_turns, ASIDE * 2 / 5)
  taken = taken + take('interactive', most - taken, ASIDE * 4 / 5)
  take('bulk', most - taken, ASIDE)
end

-- Writes one command for each key with all of its entries: a command costs more than an entry.
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
    -- A worker of an earlier release returns set-aside jobs without removing this entry.
    redis.call('HDEL', PLACES, unpack(ids))
  end
  -- A business whose last ready job was taken needs no clock: the class's clock is as late.
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
  -- Every job seen is now in another place, and they were the first of the list.
  if seen[class] > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, seen[class] - 1)
  end
end
forget(unreadable)

-- Drops members of `running` whose jobs have no lease any more: a worker of an earlier release left
-- them behind. Each call checks a few, round robin.
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

-- Checks the capped business after the one that was checked last: its cap may have been raised.
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

-- The times at which other claimers have promised to look, earliest first.
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

-- The first of the next `n` times to look for which no claimer has promised; nil if there is none.
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

-- Fills the bell up to this number of notes, at most NOTES.
local function ring(notes)
  for _ = 1, math.min(notes, NOTES) - redis.call('LLEN', BELL) do
    redis.call('RPUSH', BELL, '1')
  end
end

redis.call('ZREM', ROSTER, claimer)
if #claimed == most then
  -- The caller has no free slot left: other claimers must find what is left.
  local left = intake == 'open' and redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) or 0
  -- A claimer that is woken for ready jobs also finds due ones.
  ring(left > 0 and left or (more or gap(1)) and 1 or 0)
elseif not more then
  if intake == 'open' then
    -- Nothing is left: notes in the bell would wake workers for nothing.
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
