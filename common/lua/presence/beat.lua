-- Notes that a worker is there.
--
-- KEYS   1 workers (hash)
-- ARGV   1 the worker's name  2 what it tells of itself, as JSON
-- RETURNS nothing
--
-- A script for the time: by Redis' own clock, since a worker's may be off.

local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], (time[1] * 1000 + math.floor(time[2] / 1000)) .. '|' .. ARGV[2])
