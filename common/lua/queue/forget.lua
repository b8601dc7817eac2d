-- Forgets jobs of one business that have ended, wherever they stand in the queue, but for those that a worker holds.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 epochs (hash)  6 leases (zset)  7 capped (zset)  8 places (hash)
-- ARGV   1 the business  2… the jobs' ids; at most 500
-- RETURNS the ids of those that a worker holds: they are left as they are, for its settle
--
-- Atomic: a job that is just being claimed must be either forgotten or leased, never both.
--
-- A job of another business is left alone. The record goes first: if a later command fails, what is left of the job has
-- no record, and the next claim drops it.

local business = ARGV[1]
local ids = {}
for i = 2, #ARGV do
  ids[#ids + 1] = ARGV[i]
end
if #ids == 0 then
  return {}
end
local records = redis.call('HMGET', KEYS[1], unpack(ids))
local leases = redis.call('ZMSCORE', KEYS[6], unpack(ids))
local places = redis.call('HMGET', KEYS[8], unpack(ids))

local held, gone, members = {}, {}, {}
for i, id in ipairs(ids) do
  if records[i] and string.match(records[i], '^%d+|%a+|([^|]*)|') == business then
    if leases[i] then
      held[#held + 1] = id
    else
      gone[#gone + 1] = id
      if places[i] then
        members[#members + 1] = places[i]
      end
    end
  end
end

if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[5], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[3], unpack(gone))
  redis.call('ZREM', KEYS[4], unpack(gone))
  -- Both in this call: `recover` compares their sizes.
  if #members > 0 then
    redis.call('ZREM', KEYS[7], unpack(members))
  end
  redis.call('HDEL', KEYS[8], unpack(gone))
end
return held
