-- Changes the version in the messages of jobs that do not run to one that no worker knows.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
-- RETURNS how many messages were changed
--
-- Atomic: no job may be claimed meanwhile.

local spoilt = 0
for i = 2, 4 do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
    local record = redis.call('HGET', KEYS[1], id)
    if record then
      local other, times = string.gsub(record, '"v":"1"', '"v":"99"', 1)
      if times > 0 then
        redis.call('HSET', KEYS[1], id, other)
        spoilt = spoilt + 1
      end
    end
  end
end
return spoilt
