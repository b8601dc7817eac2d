-- Gives jobs that Redis forgot in a flush back to the workers that run them.
--
-- KEYS   1 messages (hash)  2 epochs (hash)  3 leases (zset)  4 running (zset)
-- ARGV   1 length of the lease in ms, then three for each job: id, epoch, record; at most 500 jobs
-- RETURNS one number for each job: 1 readopted, 0 something else made it known first
--
-- Atomic: the sweep pushes the same jobs again, and exactly one of the two must win.

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
