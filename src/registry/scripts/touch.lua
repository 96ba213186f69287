-- Puts off the expiry of a simulation that was used.
-- KEYS: sim:{<id>}:meta. ARGV: token, milliseconds.
local token = redis.call('HGET', KEYS[1], 'token')
if not token then
  return 'missing'
end
if token ~= ARGV[1] then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
-- A Redis without room refuses this, and the expiry is moved all the same.
redis.pcall('HSET', KEYS[1], 'last_access', redis.call('TIME')[1])
return 'kept'
