-- Puts a part of a large value where it is gathered.
-- KEYS: where it is gathered. ARGV: where it begins, the part, milliseconds.
if ARGV[1] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
elseif redis.call('STRLEN', KEYS[1]) ~= tonumber(ARGV[1]) then
  -- What came before it has vanished, and a gap would be filled with zeros.
  redis.call('DEL', KEYS[1])
  return
else
  redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
