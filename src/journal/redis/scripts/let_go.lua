-- Gives a simulation up as it is.
-- KEYS: sim:{<id>}:meta. ARGV: token, why nobody is to replay it or ''.
local held = redis.call('HMGET', KEYS[1], 'token', 'seq', 'chain')
local order = held[1] and compare(held[1], ARGV[1])
if order == 1 then
  return {'fenced'}
end
if order ~= 0 then
  return {'elsewhere', held[2] or '', held[3] or ''}
end
-- First what takes no room: a script that has written is let go on by a Redis without room.
redis.call('HDEL', KEYS[1], 'owner', 'attempts')
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'fault', ARGV[2])
end
return {'kept'}
