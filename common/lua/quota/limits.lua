-- Sets the limits that an operator gave a provider, in place of the configured ones.
--
-- KEYS   1 state (hash)
-- ARGV   1 version (grows with every change)  2 calls a window  3 tokens a window  4 calls a day
--        5 calls at once  6 micro-USD a day; 7 tokens a day; each '' for the
--        configured one, 0 for no limit
-- RETURNS 1, or 0 where a later version is there already
--
-- Atomic, since whoever tells Redis of older limits must not undo newer ones, and since no call may
-- meet half of them.

local fields = { 'limit', 'tokens', 'per_day', 'at_once', 'usd_per_day', 'tokens_per_day' }
if tonumber(redis.call('HGET', KEYS[1], 'limits_version') or 0) > tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'limits_version', ARGV[1])
for i, field in ipairs(fields) do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, ARGV[i + 1])
  end
end
return 1
