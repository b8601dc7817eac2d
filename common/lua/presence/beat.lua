-- Records a worker's heartbeat.
--
-- KEYS   1 workers (hash)
-- ARGV   1 the worker's name  2 its description, as JSON
-- RETURNS nothing
--
-- A script because the time must be Redis' own: a worker's clock may be wrong.

local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], (time[1] * 1000 + math.floor(time[2] / 1000)) .. '|' .. ARGV[2])
