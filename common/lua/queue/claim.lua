-- Hands ready jobs to a worker, each under a lease.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)  9 leases (zset)
-- ARGV   1 most jobs to claim (1 to 500)  2 length of the lease in ms
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

local TICKS, MOVED, BULK_TURN, FRONT = 1000000, 200, 10, -1
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local most, lease_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[6], 'virtual:interactive', 'virtual:bulk', 'epoch', 'claimed', 'intake')
local intake = state[5] or 'open'
local virtual = { interactive = tonumber(state[1] or 0), bulk = tonumber(state[2] or 0) }

local function to_back(id, class, business, weight)
  local clock = class .. ':' .. business
  local start = math.max(virtual[class], tonumber(redis.call('HGET', KEYS[5], clock) or 0))
  local finish = string.format('%.0f', start + math.floor(TICKS / weight))
  redis.call('HSET', KEYS[5], clock, finish)
  redis.call('ZADD', ready[class], finish, id)
end

for _, due in ipairs({ KEYS[4], KEYS[9] }) do
  local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now_ms, 'LIMIT', 0, MOVED)
  if #ids > 0 then
    redis.call('ZREM', due, unpack(ids))
    local records = redis.call('HMGET', KEYS[1], unpack(ids))
    local epochs = redis.call('HMGET', KEYS[8], unpack(ids))
    local front = { interactive = {}, bulk = {} }
    for i, id in ipairs(ids) do
      if records[i] then
        local weight, class, business = string.match(records[i], '^(%d+)|(%a+)|([^|]*)|')
        if epochs[i] then
          local entries = front[class]
          entries[#entries + 1] = FRONT
          entries[#entries + 1] = id
        else
          to_back(id, class, business, tonumber(weight))
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

local claimed, classes, finishes = {}, {}, {}
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

-- Takes up to `n` jobs of a class; returns how many there were.
local function take(class, n)
  if n <= 0 then
    return 0
  end
  local popped = pop(class, n)
  for i = 1, #popped, 2 do
    claimed[#claimed + 1] = popped[i]
    classes[#claimed] = class
    finishes[#claimed] = tonumber(popped[i + 1])
  end
  return #popped / 2
end

if intake ~= 'paused' then
  local bulk_turns = math.floor((count + most) / BULK_TURN) - math.floor(count / BULK_TURN)
  local taken = take('bulk', bulk_turns)
  taken = taken + take('interactive', most - taken)
  take('bulk', most - taken)
end

local epoch = math.max(time[1] * 1000000 + time[2], tonumber(state[3] or 0) + 1)
local epoch_text = string.format('%.0f', epoch)
local answer = { -1, epoch_text }
if #claimed > 0 then
  -- Reads first, then one command a key with all of its entries: a command costs more than an entry.
  local records = redis.call('HMGET', KEYS[1], unpack(claimed))
  local epochs, leases, clocks, seen = {}, {}, {}, {}
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
      answer[#answer + 1] = id
      answer[#answer + 1] = message
    end
  end
  if #epochs > 0 then
    redis.call('HSET', KEYS[8], unpack(epochs))
    redis.call('ZADD', KEYS[9], unpack(leases))
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
if #claimed < most and intake == 'open' then
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
