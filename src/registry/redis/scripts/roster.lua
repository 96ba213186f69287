-- Notes until when an owner's lease lasts, forgets those that ended long ago, and answers whose last.
-- KEYS: instances. ARGV: <instance>:<nonce>, milliseconds from now, milliseconds to remember.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First what makes room: a script that has written is let go on by a Redis without room.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[3]))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf')
