-- Extends leases.
--
-- KEYS   1 messages (hash)  2 epochs (hash)  3 leases (zset)
-- ARGV   1 length of the lease in ms, then two for each job: id, epoch; at most 500 jobs
-- RETURNS one number for each job: 1 extended, 0 lost to another worker or back in the queue,
--         2 unknown: Redis was flushed and the holder may readopt the job
--
-- Atomic: if a lease expired between the check and the extension, two workers could hold it.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = now_ms + tonumber(ARGV[1])
local ids = {}
for i = 2, #ARGV, 2 do
  ids[#ids + 1] = ARGV[i]
end
local epochs = redis.call('HMGET', KEYS[2], unpack(ids))
local leased = redis.call('ZMSCORE', KEYS[3], unpack(ids))
local answer, extended = {}, {}
for i, id in ipairs(ids) do
  if epochs[i] == ARGV[2 * i + 1] and leased[i] then
    extended[#extended + 1] = until_ms
    extended[#extended + 1] = id
    answer[i] = 1
  elseif redis.call('HEXISTS', KEYS[1], id) == 0 then
    answer[i] = 2
  else
    answer[i] = 0
  end
end
if #extended > 0 then
  redis.call('ZADD', KEYS[3], unpack(extended))
end
return answer
