-- Removes a simulation that came to an end, and leaves a tombstone.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}, then what belongs to its journal, if it has one.
-- ARGV: token, ending, tenant or '', milliseconds of the tombstone.
local held = redis.call('HGET', KEYS[1], 'token')
local order = held and compare(held, ARGV[1]) or 0
-- An earlier claim than mine is back if Redis has forgotten some of what it was told.
if order == 1 or (order == -1 and #KEYS == 2) then
  return 'lost'
end
redis.call('DEL', KEYS[1], unpack(KEYS, 3))
-- How it ended is said once.
if held or redis.call('EXISTS', KEYS[2]) == 0 then
  local token = order == 0 and held or ARGV[1]
  redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. token .. ' ' .. ARGV[3], 'PX', ARGV[4])
end
return 'released'
