-- Commits a snapshot, and only then drops what it makes superfluous.
-- KEYS: sim:{<id>}:meta, sim:{<id>}:journal, sim:{<id>}:snapshot:<seq>, sim:{<id>}:staged:<upload>, then the snapshots
-- to drop. ARGV: token, purpose, seq, chain, milliseconds, how many bytes are staged or '', the snapshot if none are,
-- seq of the older snapshot to keep or '', id of the first entry to keep, '<seq> <chain>' where a repair is to begin.
local held = redis.call('HMGET', KEYS[1], 'token', 'seq', 'chain', 'snapshot')
local purpose, seq, chain = ARGV[2], ARGV[3], ARGV[4]
local order = held[1] and compare(held[1], ARGV[1])
if order == 1 then
  return {'fenced'}
end
local is_mine = order == 0 or (order == -1 and purpose == 'repair')
local at = (held[2] or '') .. ' ' .. (held[3] or '')
local fits
if purpose == 'bound' then
  -- An order that was long under way is not to undo a later one.
  fits = held[2] and tonumber(seq) <= tonumber(held[2]) and tonumber(held[4] or 0) <= tonumber(seq)
else
  -- Where it leads to is where it begins, if it was sent before and the answer was lost.
  local from = {begin = ' ', rest = seq .. ' ' .. chain, ['repair'] = ARGV[10]}
  fits = at == from[purpose] or at == seq .. ' ' .. chain
end
if not is_mine or not fits then
  return {'elsewhere', held[2] or '', held[3] or ''}
end

-- First what takes room: a Redis without any is to refuse all of it.
if ARGV[6] == '' then
  redis.call('SET', KEYS[3], ARGV[7])
elseif redis.call('STRLEN', KEYS[4]) == tonumber(ARGV[6]) then
  redis.call('RENAME', KEYS[4], KEYS[3])
else
  return {'incomplete'}
end
-- It may expire later than the entry, but not before.
redis.call('PEXPIRE', KEYS[3], math.max(tonumber(ARGV[5]), redis.call('PTTL', KEYS[1])))
redis.call('HSET', KEYS[1], 'snapshot', seq)
if ARGV[8] == '' then
  redis.call('HDEL', KEYS[1], 'previous')
else
  redis.call('HSET', KEYS[1], 'previous', ARGV[8])
end
if purpose == 'bound' then
  redis.call('XTRIM', KEYS[2], 'MINID', ARGV[9])
else
  redis.call('HSET', KEYS[1], 'seq', seq, 'chain', chain)
  redis.call('DEL', KEYS[2])
end
if purpose == 'rest' then
  redis.call('HDEL', KEYS[1], 'owner', 'attempts')
end
if order == -1 then
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
end
if #KEYS > 4 then
  redis.call('DEL', unpack(KEYS, 5))
end
return {'kept'}
