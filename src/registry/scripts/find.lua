-- What is known of a simulation.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}.
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'tenant')
if held[2] then
  return {'owned', held[1], held[2], held[3] or ''}
end
local tombstone = redis.call('GET', KEYS[2])
if tombstone then
  return {'ended', tombstone}
end
return {'unknown'}
