-- Sets the mark of a whole pass if Redis forgot nothing since the pass began.
--
-- KEYS   1 pass (string: the name of the current one)  2 swept (string)
-- ARGV   1 the name of the pass
-- RETURNS 1, or 0 if the name is gone: the jobs that it made known may be forgotten too
--
-- Atomic: a flush between the check and the mark would leave a mark although it removed jobs.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], '1')
redis.call('DEL', KEYS[1])
return 1
