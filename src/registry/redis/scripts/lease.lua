-- Takes or renews the lease of an instance.
-- KEYS: instance:<id>. ARGV: nonce, url, simulations, room, milliseconds, "take" or "renew".
local notice = {'nonce', ARGV[1], 'url', ARGV[2], 'simulations', ARGV[3], 'room', ARGV[4]}
if ARGV[6] == 'take' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(notice))
elseif redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then
  return 'gone'
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('HSET', KEYS[1], unpack(notice))
return 'held'
