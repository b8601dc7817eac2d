-- Leaves the mark of a whole pass, where Redis forgot nothing since the pass began.
--
-- KEYS   1 pass (string: the name of the one under way)  2 swept (string)
-- ARGV   1 the name of the pass
-- RETURNS 1, or 0 where its name is gone: what it made known may be forgotten too
--
-- Atomic, since a flush between the look and the mark would leave a mark for jobs that it removed.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], '1')
redis.call('DEL', KEYS[1])
return 1
