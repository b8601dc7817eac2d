-- Sets businesses' shares, which replace the default one.
--
-- KEYS   1 shares (hash)  2 capped (zset)  3 freed (set)  4 bell (list)
-- ARGV   three for each business: its id, its share (weight|cap, each '' for the default),
--        version (grows with every change); at most 500 businesses
-- RETURNS how many were changed; a share with a later version is left as it is
--
-- Atomic: a process with an older share must not overwrite a newer one.

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
  -- The new caps may leave room for more jobs: see claim.lua.
  redis.call('SADD', KEYS[3], unpack(changed))
  if redis.call('LLEN', KEYS[4]) == 0 then
    redis.call('RPUSH', KEYS[4], '1')
  end
end
return #changed
