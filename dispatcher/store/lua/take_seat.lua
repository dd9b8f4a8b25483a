-- take_seat: take, keep or (for no time) give back one of the seats that a holder may have.
-- KEYS    root
-- ARGV    holder seat most:n lives_ms:n
-- RETURNS taken | full
--- @include base
local key = root .. 'seats:' .. holder
if lives_ms <= 0 then
  redis.call('ZREM', key, seat)
  return reply('taken')
end
local mine = redis.call('ZSCORE', key, seat)
local living = redis.call('ZCOUNT', key, '(' .. text(now), '+inf')
if living >= most and not (mine and tonumber(mine) > now) then return reply('full') end
redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
redis.call('ZADD', key, now + lives_ms, seat)
redis.call('PEXPIRE', key, lives_ms + 1000)
return reply('taken')
