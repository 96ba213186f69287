-- Makes an instance the owner of a journalled simulation that is owned, or rests, as was seen.
-- KEYS: sim:{<id>}:meta. ARGV: owner, nonce, token and owner that were seen; the latter may be ''.
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'durability')
if held[2] ~= ARGV[3] or (held[1] or '') ~= ARGV[4] or held[3] ~= 'journal' then
  return {'changed'}
end
-- Later than every fence before it, even if Redis forgot some of them: its clock went on.
local time = redis.call('TIME')
local fence = time[1] * 1000000 + time[2]
fence = math.max(fence, tonumber(string.match(held[2], '^%d+')) + 1)
local token = string.format('%.0f:%s', fence, ARGV[2])
-- First what takes no room: a script that has written is let go on by a Redis without room.
redis.call('HDEL', KEYS[1], 'owner')
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token)
-- Forgotten as soon as the heir writes it down or gives it up: what is left was tried by instances that ended over it.
if held[1] ~= ARGV[1] then
  redis.call('HINCRBY', KEYS[1], 'attempts', 1)
end
return {'granted', token, unpack(redis.call('HGETALL', KEYS[1]))}
