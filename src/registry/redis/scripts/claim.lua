-- Makes an instance the owner of a simulation that nobody owns, or that is owned as was seen.
-- KEYS: sim:{<id>}:meta, tombstone:{<id>}, then what is left of the journal that is replaced.
-- ARGV: owner, nonce, token and owner that may be replaced or '', milliseconds, then fields and values.
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'tenant', 'durability', 'fault')
-- An owner that came back has the same token under the name of its next life.
if held[2] and (held[2] ~= ARGV[3] or (held[1] or '') ~= ARGV[4]) then
  return {'taken', held[1] or '', held[2], held[3] or '', held[4] or '', held[5] or ''}
end
-- Later than every fence before it, even if Redis forgot some of them: its clock went on.
local time = redis.call('TIME')
local fence = time[1] * 1000000 + time[2]
if held[2] then
  fence = math.max(fence, tonumber(string.match(held[2], '^%d+')) + 1)
end
local token = string.format('%.0f:%s', fence, ARGV[2])
if held[2] then
  redis.call('DEL', KEYS[1], unpack(KEYS, 3))
end
local head = {}
for i = 6, #ARGV, 2 do
  if ARGV[i] == 'durability' and ARGV[i + 1] == 'journal' then
    -- In front, where every append finds them at once: a small hash is searched from its beginning.
    head = {'seq', '', 'chain', ''}
  end
end
-- First what takes room: a Redis without any is to refuse what is new.
redis.call('HSET', KEYS[1], 'token', token, unpack(head))
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'last_access', redis.call('TIME')[1], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('DEL', KEYS[2])
return {'granted', token}
