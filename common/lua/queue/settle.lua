-- Ends leases: the job is done, comes again later, or goes back at once.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 bell (list)  6 epochs (hash)  7 leases (zset)  8 running (zset)  9 capped (zset)
--        10 freed (set)
-- ARGV   three for each job: id, epoch, and what follows: `done`, `back`, or when it is due again in ms
--        since the epoch; at most 500 jobs
-- RETURNS one number for each job: 1 settled, 0 the lease was another worker's or unknown
--
-- Atomic: the check of the epoch and the move are one decision. A worker whose lease was taken over
-- must not remove the job of its successor.
--
-- Reads first, then writes one command for each key with all of its entries: a command costs more
-- than an entry.

-- Idle workers look at least twice a second: a job that is due sooner needs a note.
local SOON_MS = 500
local time = redis.call('TIME')
local soon_ms = time[1] * 1000 + math.floor(time[2] / 1000) + SOON_MS

local ids = {}
for i = 1, #ARGV, 3 do
  ids[#ids + 1] = ARGV[i]
end
local epochs = redis.call('HMGET', KEYS[6], unpack(ids))
local leased = redis.call('ZMSCORE', KEYS[7], unpack(ids))

local answer, ended, done, delayed, back, seen = {}, {}, {}, {}, {}, {}
for i = 1, #ids do
  local id, next_step = ids[i], ARGV[3 * i]
  if epochs[i] == ARGV[3 * i - 1] and leased[i] and not seen[id] then
    seen[id] = true
    answer[i] = 1
    ended[#ended + 1] = id
    if next_step == 'done' then
      done[#done + 1] = id
    elseif next_step == 'back' then
      back[#back + 1] = id
    else
      delayed[#delayed + 1] = next_step
      delayed[#delayed + 1] = id
    end
  else
    answer[i] = 0
  end
end

local function ring(notes)
  for _ = 1, math.min(notes, 32 - redis.call('LLEN', KEYS[5])) do
    redis.call('RPUSH', KEYS[5], '1')
  end
end

-- Adds to the new place before removing from the old one: a command that fails in between loses no
-- job.
if #delayed > 0 then
  redis.call('ZADD', KEYS[4], unpack(delayed))
  for i = 1, #delayed, 2 do
    if tonumber(delayed[i]) < soon_ms then
      ring(1)
      break
    end
  end
end
if #back > 0 then
  -- Before all new jobs of its class: see claim.lua.
  local FRONT = -1
  local ready = { interactive = KEYS[2], bulk = KEYS[3] }
  local rung = 0
  for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(back))) do
    local class = record and string.match(record, '^%d+|(%a+)|')
    if ready[class] then
      redis.call('ZADD', ready[class], FRONT, back[i])
      rung = rung + 1
    end
  end
  ring(rung)
end
if #ended > 0 then
  redis.call('ZREM', KEYS[7], unpack(ended))
end
if #ended > 0 and redis.call('EXISTS', KEYS[8]) == 1 then
  -- Updates the concurrency caps: see claim.lua.
  local members, businesses = {}, {}
  for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(ended))) do
    local business = record and string.match(record, '^%d+|%a+|([^|]*)|')
    if business then
      members[#members + 1] = business .. '|' .. ended[i]
      businesses[#businesses + 1] = business
    end
  end
  local freed = #members > 0 and redis.call('ZREM', KEYS[8], unpack(members)) or 0
  if freed > 0 and redis.call('EXISTS', KEYS[9]) == 1 then
    redis.call('SADD', KEYS[10], unpack(businesses))
    ring(freed)
  end
end
if #done > 0 then
  redis.call('HDEL', KEYS[1], unpack(done))
  redis.call('HDEL', KEYS[6], unpack(done))
end
return answer
