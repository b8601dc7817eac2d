-- Reports which jobs a queue does not know, and makes known jobs ready that are in no set.
--
-- KEYS   1 messages (hash)  2 ready:interactive (zset)  3 ready:bulk (zset)  4 delayed (zset)
--        5 clocks (hash)  6 state (hash)  7 bell (list)  8 epochs (hash)  9 leases (zset)
--        10 capped (zset)  11 places (hash)
-- ARGV   the jobs' ids; at most 500
-- RETURNS { how many were put back, then for each job 1 if it is known, else 0 }
--
-- Atomic: a job that is just being moved or handed out must not be put into another set. A script
-- (of this or an earlier release) that failed between two commands can leave a job in no set. No
-- claim would find it, and no push would add it, since it is known.
--
-- If a worker of an earlier release set jobs aside, `places` does not list all of them. Then
-- nothing is put back until those jobs have left `capped`.

local FRONT, TICKS = -1, 1000000
local ready = { interactive = KEYS[2], bulk = KEYS[3] }
local records = redis.call('HMGET', KEYS[1], unpack(ARGV))
local answer, known = { 0 }, {}
for i, id in ipairs(ARGV) do
  answer[i + 1] = records[i] and 1 or 0
  if records[i] then
    known[#known + 1] = id
  end
end
if #known == 0 or redis.call('ZCARD', KEYS[10]) ~= redis.call('HLEN', KEYS[11]) then
  return answer
end

local found = {}
for _, key in ipairs({ KEYS[2], KEYS[3], KEYS[4], KEYS[9] }) do
  found[#found + 1] = redis.call('ZMSCORE', key, unpack(known))
end
found[#found + 1] = redis.call('HMGET', KEYS[11], unpack(known))
local function stands(n)
  for _, places in ipairs(found) do
    if places[n] then
      return true
    end
  end
  return false
end

local strays = {}
for n, id in ipairs(known) do
  if not stands(n) then
    strays[#strays + 1] = id
  end
end
if #strays == 0 then
  return answer
end

local epochs = redis.call('HMGET', KEYS[8], unpack(strays))
for n, record in ipairs(redis.call('HMGET', KEYS[1], unpack(strays))) do
  local class, business = string.match(record, '^%d+|(%a+)|([^|]*)|')
  local place = FRONT
  if ready[class] and not epochs[n] then
    -- Like a new job of weight 1: see push.lua.
    local clock = class .. ':' .. business
    place = math.max(tonumber(redis.call('HGET', KEYS[6], 'virtual:' .. class) or 0),
      tonumber(redis.call('HGET', KEYS[5], clock) or 0)) + TICKS
    redis.call('HSET', KEYS[5], clock, string.format('%.0f', place))
  end
  if ready[class] then
    redis.call('ZADD', ready[class], string.format('%.0f', place), strays[n])
  else
    -- The record is unreadable: the sweep pushes the job again from its row.
    redis.call('HDEL', KEYS[1], strays[n])
  end
end
answer[1] = #strays
if redis.call('LLEN', KEYS[7]) == 0 then
  redis.call('RPUSH', KEYS[7], '1')
end
return answer
