-- Gives jobs that a flush made Redis forget back to the workers that run them.
--
-- KEYS   1 messages (hash)  2 epochs (hash)  3 leases (zset)  4 running (zset)
-- ARGV   1 length of the lease in ms, then three a job: id, epoch, record; at most 500 jobs
-- RETURNS one number a job: 1 re-adopted, 0 somebody made it known again first
--
-- Atomic, since the sweep pushes the same jobs again: exactly one of the two may win.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = now_ms + tonumber(ARGV[1])
local answer = {}
for i = 2, #ARGV, 3 do
  local id, epoch, record = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local new = redis.call('HSETNX', KEYS[1], id, record)
  if new == 1 then
    redis.call('HSET', KEYS[2], id, epoch)
    redis.call('ZADD', KEYS[3], until_ms, id)
    redis.call('ZADD', KEYS[4], 0, string.match(record, '^%d+|%a+|([^|]*|)') .. id)
  end
  answer[#answer + 1] = new
end
return answer
