-- Writes the entry of a simulation again, unless somebody else has claimed it.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}, then what belongs to its journal, if it has one.
-- ARGV: owner, token, milliseconds, revision, then fields and values.
local held = redis.call('HMGET', KEYS[1], 'token', 'seq', 'chain', 'revision')
local token = ARGV[2]
local is_journalled = #KEYS > 2
-- A Redis without room refuses what is new, but lets a script go on that has written.
local is_new = not held[1] and string.match(token, '^%d+') == '0'
if held[1] then
  local order = compare(held[1], token)
  -- An earlier claim than mine is back if Redis has forgotten some of what it was told.
  if order == 1 or (order == -1 and not is_journalled) then
    return {'lost'}
  end
  if order == 0 then
    token = held[1]
    -- One that was given up and comes late is not to undo a later one. What is of another claim, which was here before
    -- Redis forgot, does not count.
    local revision, claim = string.match(held[4] or '', '^(%d+)@(.*)$')
    if claim == token and tonumber(revision) > tonumber(ARGV[4]) then
      return {'kept', token, held[2] or '', held[3] or ''}
    end
  end
else
  local ending, ended = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%S+)')
  -- By somebody who had gone on with it while I was out of reach; what ended before my claim had only the same name.
  if is_journalled and ending == 'destroyed' and compare(ended, token) ~= -1 then
    return {'lost'}
  end
  if is_new then
    local time = redis.call('TIME')
    local nonce = string.match(token, ':(.*)$')
    token = string.format('%.0f:%s', time[1] * 1000000 + time[2], nonce)
  end
end
if not is_new then
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[1], 'attempts')
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token, 'revision', ARGV[4] .. '@' .. token,
  'last_access', redis.call('TIME')[1], unpack(ARGV, 5))
redis.call('DEL', KEYS[2])
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[3])
end
return {'kept', token, held[2] or '', held[3] or ''}
