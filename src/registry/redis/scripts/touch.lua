-- Puts off the expiry of a simulation that was used.
-- KEYS: sim:{<id>}:meta, then what belongs to its journal, if it has one. ARGV: token, milliseconds.
local held = redis.call('HMGET', KEYS[1], 'token', 'seq', 'chain')
local order = held[1] and compare(held[1], ARGV[1])
-- An earlier claim than mine is back if Redis has forgotten some of what it was told, my entry too.
if not order or (order == -1 and #KEYS > 1) then
  return {'missing'}
end
if order ~= 0 then
  return {'lost'}
end
-- First what takes no room: a script that has written is let go on by a Redis without room.
if redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT') == 1 then
  for i = 2, #KEYS do
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
end
redis.call('HSET', KEYS[1], 'last_access', redis.call('TIME')[1])
return {'kept', held[2] or '', held[3] or ''}
