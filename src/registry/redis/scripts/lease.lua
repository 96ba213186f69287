-- Renews the lease of an instance, or takes it over whoever was seen to hold it; who holds it, if that failed.
-- KEYS: instance:<id>. ARGV: nonce, url, simulations, room, milliseconds, nonce that may be replaced, if any may.
local notice = {'nonce', ARGV[1], 'url', ARGV[2], 'simulations', ARGV[3], 'room', ARGV[4]}
local held = redis.call('HGET', KEYS[1], 'nonce') or ''
if held ~= ARGV[1] then
  -- One that was given up and comes late is not to replace what came after it.
  if held ~= ARGV[6] then
    return {'gone', held}
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(notice))
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('HSET', KEYS[1], unpack(notice))
return {'held'}
