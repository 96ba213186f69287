-- Forgets simulations whose time was over long ago; which ones.
-- KEYS: sims:expiry. ARGV: milliseconds ago, limit.
local time = redis.call('TIME')
local before = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1])
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, ARGV[2])
if #old > 0 then
  redis.call('ZREM', KEYS[1], unpack(old))
end
return old
