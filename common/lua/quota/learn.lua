-- Learns what a text of a kind took.
--
-- KEYS   1 usual (hash: by kind of text `kind:calls`, `kind:tokens`: means; `kind:texts`: of how many)
-- ARGV   1 kind  2 calls that the text took  3 tokens that it took  4 the mean of calls that was
--        expected before the first text
-- RETURNS nothing
--
-- Atomic, since a mean that is read and written by two at once would forget one text. A moving mean:
-- prompts, models and their answers change, and what texts took last month says little.
-- The texts that are done first are those that took the fewest calls: what was expected before counts
-- as PRIOR_TEXTS texts.

local TEXTS_IN_MEAN, PRIOR_TEXTS = 20, 4

local kind = ARGV[1]
local known = redis.call('HMGET', KEYS[1], kind .. ':calls', kind .. ':tokens', kind .. ':texts')
local texts = math.min(tonumber(known[3] or PRIOR_TEXTS) + 1, TEXTS_IN_MEAN)
local function mean(before, now)
  return string.format('%.3f', before + (now - before) / texts)
end
redis.call('HSET', KEYS[1], kind .. ':calls', mean(tonumber(known[1] or ARGV[4]), tonumber(ARGV[2])),
  kind .. ':tokens', mean(tonumber(known[2] or ARGV[3]), tonumber(ARGV[3])), kind .. ':texts', texts)
