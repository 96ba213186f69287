-- Whose claim a token is that is held: 0 the same as mine, 1 a later one, -1 an earlier one, which is held again
-- because Redis forgot mine. The fence is not known to whoever did not hear the answer to its claim.
local function compare(held, mine)
  local held_fence, held_nonce = string.match(held, '^(%d+):(.*)$')
  local fence, nonce = string.match(mine, '^(%d+):(.*)$')
  if held_nonce == nonce then
    return 0
  end
  return tonumber(held_fence) < tonumber(fence) and -1 or 1
end
