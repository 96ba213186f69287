-- Appends entries, each behind the one that its writer believes to be the last, and answers for each with a text:
-- 'kept', 'fenced', or 'elsewhere' with the seq and the chain that were found; or with the error that it came to. Each
-- is appended as a whole or not at all, whatever becomes of the others.
-- KEYS, for each: sim:{<id>}:meta, sim:{<id>}:journal. ARGV, for each: token, seq and chain before, seq and chain with
-- it, the entry, '1' if there may be none before it.
local function append(meta, journal, token, seq_before, chain_before, seq, chain, entry, is_first)
  local held = redis.call('HMGET', meta, 'token', 'seq', 'chain')
  local held_token, held_seq, held_chain = held[1], held[2], held[3]
  local is_mine = held_token == token
  if not is_mine and held_token then
    local order = compare(held_token, token)
    if order == 1 then
      return 'fenced'
    end
    is_mine = order == 0
  end
  if not is_mine or held_seq ~= seq_before or held_chain ~= chain_before then
    -- Sent before, and the answer was lost.
    if is_mine and held_seq == seq and held_chain == chain then
      return 'kept'
    end
    return 'elsewhere ' .. (held_seq or '') .. ' ' .. (held_chain or '')
  end
  -- First what takes room: a Redis without any refuses it, and all of the entry. It refuses nothing once a script has
  -- written, so that it is either every entry or none of them.
  if is_first == '1' then
    redis.call('XADD', journal, seq .. '-0', 'e', entry, 'c', chain)
    redis.call('PEXPIRE', journal, redis.call('PTTL', meta))
  elseif not redis.call('XADD', journal, 'NOMKSTREAM', seq .. '-0', 'e', entry, 'c', chain) then
    -- The entries before it have vanished.
    return 'elsewhere ' .. held_seq .. ' ' .. held_chain
  end
  redis.call('HSET', meta, 'seq', seq, 'chain', chain)
  return 'kept'
end

local answers = {}
for n = 1, #KEYS / 2 do
  local at = 7 * n - 7
  -- What is wrong with one of them must not end the script: others are appended already.
  local is_answered, answer = pcall(append, KEYS[2 * n - 1], KEYS[2 * n], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3],
    ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7])
  if not is_answered and type(answer) == 'string' then
    answer = redis.error_reply(answer)
  end
  answers[n] = answer
end
return answers
