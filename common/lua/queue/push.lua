-- Makes jobs known to a queue: ready at once, or delayed until their time.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)
-- ARGV   five a job: id, class (interactive | bulk), due (ms since the epoch, 0 for now),
--        business, record (weight|class|business|message); at most 500 jobs
-- RETURNS how many were new; a job that the queue knows already is left as it is
--
-- Atomic, since a job must never be known without standing in exactly one of ready, delayed and
-- leases; and since a business's virtual clock may only be moved with the entry that it pays for.
--
-- Fairness: each class is one zset in the order of virtual finish times (start-time fair queueing,
-- Goyal, Vin and Cheng 1996). A business's next job costs 1e6/weight ticks on the business's own
-- clock, which never runs behind the class's. Businesses thus take turns by weight however many
-- jobs each has, and a business's own jobs keep their order.

local TICKS = 1000000
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local virtual = {
  interactive = tonumber(redis.call('HGET', KEYS[6], 'virtual:interactive') or 0),
  bulk = tonumber(redis.call('HGET', KEYS[6], 'virtual:bulk') or 0),
}

local new, rung = 0, 0
for i = 1, #ARGV, 5 do
  local id, class, due, business, record = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4]
  if redis.call('HSETNX', KEYS[1], id, record) == 1 then
    new = new + 1
    if due > now_ms then
      redis.call('ZADD', KEYS[4], due, id)
    else
      local weight = tonumber(string.match(record, '^(%d+)|'))
      local clock = class .. ':' .. business
      local start = math.max(virtual[class], tonumber(redis.call('HGET', KEYS[5], clock) or 0))
      local finish = string.format('%.0f', start + math.floor(TICKS / weight))
      redis.call('HSET', KEYS[5], clock, finish)
      redis.call('ZADD', ready[class], finish, id)
      rung = rung + 1
    end
  end
end

-- One note a job wakes one idle worker each; more than that many workers find the rest by polling.
local notes = math.min(rung, 32 - redis.call('LLEN', KEYS[7]))
for _ = 1, notes do
  redis.call('RPUSH', KEYS[7], '1')
end
return new
