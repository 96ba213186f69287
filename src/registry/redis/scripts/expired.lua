-- Whether a simulation's time was over when last noted: 'over', 'left', or nil if it was never noted.
-- KEYS: sims:expiry. ARGV: member.
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at then
  return false
end
local time = redis.call('TIME')
return tonumber(at) <= time[1] * 1000 + time[2] / 1000 and 'over' or 'left'
