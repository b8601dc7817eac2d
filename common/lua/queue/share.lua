-- Sets the shares that operators gave businesses, in place of the default one.
--
-- KEYS   1 shares (hash)  2 capped (zset)  3 freed (set)  4 bell (list)
-- ARGV   three a business: its id, its share (weight|most jobs under way, each '' for the default),
--        version (grows with every change); at most 500 businesses
-- RETURNS how many were changed; where a later version is there already, nothing is
--
-- Atomic, since whoever tells Redis of an older share must not undo a newer one.

local changed = {}
for i = 1, #ARGV, 3 do
  local business, share, version = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', KEYS[1], business)
  if not old or tonumber(string.match(old, '(%d+)$')) < tonumber(version) then
    redis.call('HSET', KEYS[1], business, share .. '|' .. version)
    changed[#changed + 1] = business
  end
end
if #changed > 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  -- There may be room for its jobs now: see claim.lua.
  redis.call('SADD', KEYS[3], unpack(changed))
  if redis.call('LLEN', KEYS[4]) == 0 then
    redis.call('RPUSH', KEYS[4], '1')
  end
end
return #changed
