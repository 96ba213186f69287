-- Puts off the expiry of a simulation that was used.
-- KEYS: sim:{<id>}:meta. ARGV: token, milliseconds.
local token = redis.call('HGET', KEYS[1], 'token')
if not token then
  return 'missing'
end
-- The fence is not known to whoever did not hear the answer to its claim.
if string.match(token, ':(.*)$') ~= string.match(ARGV[1], ':(.*)$') then
  return 'lost'
end
-- First what takes no room: a script that has written is let go on by a Redis without room.
redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
redis.call('HSET', KEYS[1], 'last_access', redis.call('TIME')[1])
return 'kept'
