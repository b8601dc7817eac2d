-- Makes jobs known to a queue: ready at once, or delayed until their time.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 shares (hash)  9 epochs (hash)
-- ARGV   six a job: id, class (interactive | bulk), due (ms since the epoch, 0 for now),
--        business, record (1|class|business|message), the epoch of its last lease (0 where it has
--        not begun); at most 500 jobs
-- RETURNS how many were new; a job that the queue knows already is left as it is
--
-- Atomic, since a job must never be known without standing in exactly one of ready, delayed, leases
-- and capped; and since a business's virtual clock may only be moved with the entry that it pays for.
--
-- Fairness: each class is one zset in the order of virtual finish times (start-time fair queueing,
-- Goyal, Vin and Cheng 1996). A business's next job costs 1e6/weight ticks on the business's own
-- clock, which never runs behind the class's; its weight is its share's, else 1. Businesses thus take
-- turns by weight however many jobs each has, and a business's own jobs keep their order.
--
-- A job that was under way when Redis forgot it stands before all new ones again: see claim.lua.
--
-- A command a kind of write, not one a job: that is most of what a push costs, here and in the
-- append-only file.

local TICKS, FRONT = 1000000, -1
local FIELDS = 6
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local virtual = {
  interactive = tonumber(redis.call('HGET', KEYS[6], 'virtual:interactive') or 0),
  bulk = tonumber(redis.call('HGET', KEYS[6], 'virtual:bulk') or 0),
}

local ids = {}
for i = 1, #ARGV, FIELDS do
  ids[#ids + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[1], unpack(ids))

local any_share = redis.call('EXISTS', KEYS[8]) == 1
local function weight_of(business)
  local share = any_share and redis.call('HGET', KEYS[8], business)
  return tonumber(share and string.match(share, '^(%d+)|')) or 1
end

-- A clock as this call has moved it; read when the first job of its business comes.
local clocks = {}
local function finish_of(class, business)
  local name = class .. ':' .. business
  local start = math.max(virtual[class], clocks[name] or tonumber(redis.call('HGET', KEYS[5], name) or 0))
  clocks[name] = start + math.floor(TICKS / weight_of(business))
  return string.format('%.0f', clocks[name])
end

local seen, messages, epochs, delayed, entries = {}, {}, {}, {}, { interactive = {}, bulk = {} }
local function append(list, a, b)
  list[#list + 1] = a
  list[#list + 1] = b
end

local new, rung, soonest = 0, 0, math.huge
for n, id in ipairs(ids) do
  if not known[n] and not seen[id] then
    local at = (n - 1) * FIELDS
    local class, due, business, record = ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5]
    local has_begun = ARGV[at + 6] ~= '0'
    seen[id] = true
    new = new + 1
    append(messages, id, record)
    if has_begun then
      append(epochs, id, ARGV[at + 6])
    end
    if due > now_ms then
      append(delayed, due, id)
      soonest = math.min(soonest, due)
    else
      append(entries[class], has_begun and FRONT or finish_of(class, business), id)
      rung = rung + 1
    end
  end
end

local function write(command, key, list)
  if #list > 0 then
    redis.call(command, key, unpack(list))
  end
end

local moved = {}
for name, finish in pairs(clocks) do
  append(moved, name, string.format('%.0f', finish))
end
write('HSET', KEYS[1], messages)
write('HSET', KEYS[9], epochs)
write('HSET', KEYS[5], moved)
write('ZADD', KEYS[4], delayed)
for class, key in pairs(ready) do
  write('ZADD', key, entries[class])
end

-- One note a job wakes one idle worker each; those who find more than they can take ring for others.
-- Idle workers look twice a second at least: a job that is due sooner rings for one, too.
local SOON_MS = 500
if rung == 0 and soonest < now_ms + SOON_MS then
  rung = 1
end
local notes = {}
for _ = 1, math.min(rung, 32 - redis.call('LLEN', KEYS[7])) do
  notes[#notes + 1] = '1'
end
write('RPUSH', KEYS[7], notes)
return new
