-- Adds a piece to the text that a job is writing, and tells who follows it.
--
-- KEYS   1 the job's draft (stream)
-- ARGV   1 channel of changed jobs  2 job  3 '1' where the piece begins a text anew, else ''
--        4 stage  5 round  6 the piece  7 ms that the draft is kept
-- RETURNS nothing
--
-- A script since who hears of the piece must find it, and one that begins a text must take the place
-- of what was there: both in one round trip. The stream is emptied, not deleted: its ids go on from
-- where they were, so that a reader who comes back with an old one sees all that is new.

if ARGV[3] == '1' then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
end
redis.call('XADD', KEYS[1], '*', 'reset', ARGV[3], 'stage', ARGV[4], 'round', ARGV[5], 'text', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PUBLISH', ARGV[1], ARGV[2])
