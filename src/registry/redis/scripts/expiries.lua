-- Notes when simulations expire, and forgets those that were released.
-- KEYS: sims:expiry. ARGV: pairs of a member and the milliseconds from now, or '' to forget it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('ZREM', KEYS[1], ARGV[i])
  else
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[i + 1]), ARGV[i])
  end
end
return #ARGV / 2
