-- What is known of a simulation.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}.
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'tenant', 'durability', 'fault')
if held[2] then
  return {'owned', held[1] or '', held[2], held[3] or '', held[4] or '', held[5] or ''}
end
local tombstone = redis.call('GET', KEYS[2])
if tombstone then
  return {'ended', tombstone}
end
return {'unknown'}
