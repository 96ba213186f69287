-- Gives the lease of an instance up.
-- KEYS: instance:<id>. ARGV: nonce.
if redis.call('HGET', KEYS[1], 'nonce') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
