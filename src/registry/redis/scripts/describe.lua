-- What is written down of a simulation, behind the milliseconds that it has left; nothing if there is no entry.
-- KEYS: sim:{<id>}:meta.
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then
  return {}
end
return {string.format('%.0f', redis.call('PTTL', KEYS[1])), unpack(fields)}
