-- Adds a piece to the text that a job is writing, and notifies the job's followers.
--
-- KEYS   1 the job's draft (stream)
-- ARGV   1 channel of changed jobs  2 job  3 '1' if the piece starts a new text, else ''
--        4 stage  5 round  6 the piece  7 how long to keep the draft, in ms
-- RETURNS nothing
--
-- A script because a notified reader must find the piece, and a piece that starts a new text must
-- replace the old one: both in one round trip. The stream is emptied, not deleted: its ids keep
-- increasing, so that a reader who resumes with an old id gets everything new.

if ARGV[3] == '1' then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
end
redis.call('XADD', KEYS[1], '*', 'reset', ARGV[3], 'stage', ARGV[4], 'round', ARGV[5], 'text', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PUBLISH', ARGV[1], ARGV[2])
