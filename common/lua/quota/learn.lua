-- Learns what a text of a kind took.
--
-- KEYS   1 usual (hash: by kind of text `kind:calls`, `kind:tokens`: means; `kind:texts`: of how many)
-- ARGV   1 kind  2 calls that the text took  3 tokens that it took
-- RETURNS nothing
--
-- Atomic, since a mean that is read and written by two at once would forget one text. A moving mean:
-- prompts, models and their answers change, and what texts took last month says little.

local TEXTS_IN_MEAN = 20

local kind = ARGV[1]
local known = redis.call('HMGET', KEYS[1], kind .. ':calls', kind .. ':tokens', kind .. ':texts')
local texts = math.min(tonumber(known[3] or 0) + 1, TEXTS_IN_MEAN)
local function mean(before, now)
  return string.format('%.3f', before + (now - before) / texts)
end
redis.call('HSET', KEYS[1], kind .. ':calls', mean(tonumber(known[1] or 0), tonumber(ARGV[2])),
  kind .. ':tokens', mean(tonumber(known[2] or 0), tonumber(ARGV[3])), kind .. ':texts', texts)
