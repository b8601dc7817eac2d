-- Ends leases: the job is done, comes again later, or goes back at once.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 state (hash)  6 bell (list)  7 epochs (hash)  8 leases (zset)
-- ARGV   three a job: id, epoch, and what follows: `done`, `back`, or when it is due again in ms
--        since the epoch; at most 500 jobs
-- RETURNS one number a job: 1 settled, 0 the lease was another worker's or unknown
--
-- Atomic, since the check of the epoch and the move are one decision: a worker whose lease was
-- taken over must not remove the job from under its successor.

local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local answer, rung = {}, 0
for i = 1, #ARGV, 3 do
  local id, epoch, next_step = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', KEYS[7], id) == epoch and redis.call('ZREM', KEYS[8], id) == 1 then
    answer[#answer + 1] = 1
    if next_step == 'done' then
      redis.call('HDEL', KEYS[1], id)
      redis.call('HDEL', KEYS[7], id)
    elseif next_step == 'back' then
      local record = redis.call('HGET', KEYS[1], id)
      local class = record and string.match(record, '^%d+|(%a+)|')
      if class then
        redis.call('ZADD', ready[class], redis.call('HGET', KEYS[5], 'virtual:' .. class) or 0, id)
        rung = rung + 1
      end
    else
      redis.call('ZADD', KEYS[4], next_step, id)
    end
  else
    answer[#answer + 1] = 0
  end
end
local notes = math.min(rung, 32 - redis.call('LLEN', KEYS[6]))
for _ = 1, notes do
  redis.call('RPUSH', KEYS[6], '1')
end
return answer
