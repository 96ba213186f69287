-- Has a file expire no earlier than after some time, and says whether it is there: 1 or 0.
-- KEYS: asset:{<sha256>}. ARGV: milliseconds.
local left = redis.call('PTTL', KEYS[1])
if left == -2 then
  return 0
end
if left < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
