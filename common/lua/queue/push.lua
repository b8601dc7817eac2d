-- Makes jobs known to a queue: ready at once, or delayed until their time.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 shares (hash)  9 epochs (hash)
-- ARGV   six for each job: id, class (interactive | bulk), due (ms since the epoch, 0 for now),
--        business, record (1|class|business|message), the epoch of its last lease (0 if it was
--        never begun); at most 500 jobs
-- RETURNS how many were new; a job that the queue already knows is left as it is
--
-- Atomic for two reasons. A known job must be in exactly one of ready, delayed, leases and capped.
-- And a business's virtual clock may only advance together with the entry that it accounts for.
--
-- Fairness: each class is one zset in the order of virtual finish times (start-time fair queueing,
-- Goyal, Vin and Cheng 1996). A business's next job costs 1e6/weight ticks on the business's own
-- clock, which is never behind the clock of the class. The weight comes from the business's share,
-- else it is 1. So businesses take turns by weight however long their backlogs are, and the jobs of
-- one business keep their order.
--
-- A job that was under way when Redis forgot it goes before all new ones again: see claim.lua.
--
-- Each kind of write is one command for all jobs, not one for each job: the number of commands
-- dominates the cost of a push, here and in the append-only file.

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

-- The clocks as this call has advanced them, each read at the first job of its business.
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

-- One note for each job wakes one idle worker; a worker that finds more than it can take rings for
-- others. Idle workers look at least twice a second: a job that is due sooner also needs a note.
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
