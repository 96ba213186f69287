-- Takes simulations out of a list, unless they have been created anew since they were seen in it.
-- KEYS: sims:journalled or sims:journalled:<tenant>. ARGV: pairs of µs since 1970 and an id.
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if score and tonumber(score) == tonumber(ARGV[i]) then
    redis.call('ZREM', KEYS[1], ARGV[i + 1])
  end
end
return #ARGV / 2
