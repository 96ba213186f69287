-- Writes the entry of a simulation again, unless somebody else has claimed it.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}.
-- ARGV: owner, token, milliseconds, then fields and values.
local held = redis.call('HGET', KEYS[1], 'token')
local nonce = string.match(ARGV[2], ':(.*)$')
local token = ARGV[2]
-- A Redis without room refuses what is new, but lets a script go on that has written.
local is_new = not held and string.match(token, '^%d+') == '0'
if held then
  -- The fence is not known to whoever did not hear the answer to its claim.
  if string.match(held, ':(.*)$') ~= nonce then
    return {'lost'}
  end
  token = held
elseif is_new then
  local time = redis.call('TIME')
  token = string.format('%.0f:%s', time[1] * 1000000 + time[2], nonce)
end
if not is_new then
  redis.call('DEL', KEYS[2])
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token, 'last_access', redis.call('TIME')[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[2])
return {'kept', token}
