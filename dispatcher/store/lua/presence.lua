-- presence: a gateway lives for another three seconds (or leaves at once).
-- KEYS    root
-- ARGV    gateway lives_ms:n
-- RETURNS present
--- @include base
if lives_ms > 0 then
  redis.call('ZADD', root .. 'gw', now + lives_ms, gateway)
  redis.call('PEXPIRE', root .. 'inbox:' .. gateway, 10000)
else
  redis.call('ZREM', root .. 'gw', gateway)
  redis.call('DEL', root .. 'inbox:' .. gateway)
end
redis.call('ZREMRANGEBYSCORE', root .. 'gw', '-inf', '(' .. text(now - 60000))
return reply('present')
