-- Extends leases.
--
-- KEYS   1 messages (hash)  2 epochs (hash)  3 leases (zset)
-- ARGV   1 length of the lease in ms, then two a job: id, epoch; at most 500 jobs
-- RETURNS one number a job: 1 extended, 0 lost to another worker or back in the queue,
--         2 unknown: Redis was flushed and the holder may re-adopt the job
--
-- Atomic, since a lease that ran out between the check and the extension would be held twice.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = now_ms + tonumber(ARGV[1])
local answer = {}
for i = 2, #ARGV, 2 do
  local id, epoch = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', KEYS[2], id) == epoch and redis.call('ZSCORE', KEYS[3], id) then
    redis.call('ZADD', KEYS[3], until_ms, id)
    answer[#answer + 1] = 1
  elseif redis.call('HEXISTS', KEYS[1], id) == 0 then
    answer[#answer + 1] = 2
  else
    answer[#answer + 1] = 0
  end
end
return answer
