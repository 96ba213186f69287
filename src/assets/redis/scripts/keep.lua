-- Has a file expire no earlier than after some time, and answers the letter of its format; nothing if it is not there.
-- KEYS: asset:{<sha256>}. ARGV: milliseconds.
local left = redis.call('PTTL', KEYS[1])
if left == -2 then
  return ''
end
if left < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.call('GETRANGE', KEYS[1], 0, 0)
