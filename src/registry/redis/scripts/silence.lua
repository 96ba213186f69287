-- For how many milliseconds an owner's lease has been over; nil if it is not remembered.
-- KEYS: instances. ARGV: <instance>:<nonce>.
local until_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not until_ms then
  return false
end
local time = redis.call('TIME')
return math.floor(math.max(0, time[1] * 1000 + time[2] / 1000 - until_ms))
