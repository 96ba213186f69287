-- Puts a file that is staged where it is found: 'new', or 'known' if it is there already, or 'incomplete'.
-- KEYS: asset:{<sha256>}, asset:{<sha256>}:staged:<upload>. ARGV: how many bytes are staged, milliseconds.
local is_known = redis.call('EXISTS', KEYS[1]) == 1
if is_known then
  redis.call('DEL', KEYS[2])
elseif redis.call('STRLEN', KEYS[2]) == tonumber(ARGV[1]) then
  redis.call('RENAME', KEYS[2], KEYS[1])
  redis.call('PERSIST', KEYS[1])
else
  return 'incomplete'
end
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return is_known and 'known' or 'new'
