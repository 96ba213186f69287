-- Puts a file that is staged where it is found: 'new', or the letter of its format if it is there already, or 'incomplete'.
-- KEYS: asset:{<sha256>}, asset:{<sha256>}:staged:<upload>. ARGV: how many bytes are staged, milliseconds.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[2])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return redis.call('GETRANGE', KEYS[1], 0, 0)
end
if redis.call('STRLEN', KEYS[2]) ~= tonumber(ARGV[1]) then
  return 'incomplete'
end
-- A script that fails has done what it did before: nothing may be found that never expires.
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 'new'
