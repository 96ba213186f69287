-- Removes a simulation that came to an end, and leaves a tombstone.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}. ARGV: token, ending, tenant or '', milliseconds of the tombstone.
local held = redis.call('HGET', KEYS[1], 'token')
if held and string.match(held, ':(.*)$') ~= string.match(ARGV[1], ':(.*)$') then
  return 'lost'
end
redis.call('DEL', KEYS[1])
-- How it ended is said once.
if held or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[3], 'PX', ARGV[4])
end
return 'released'
