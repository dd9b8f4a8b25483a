-- registry: what changed since an epoch: servers whole, removed ones with no fields. Far behind (or -1): everything.
-- KEYS    root
-- ARGV    since:n
-- RETURNS changes algorithm matching whole (server active allocated fields)...
--- @include held
local reg = redis.call('HMGET', root .. 'reg', 'algorithm', 'matching', 'floor')
local whole = since < 0 or since < number(reg[3])
local ids = whole and redis.call('ZRANGE', root .. 'servers', 0, -1)
  or redis.call('ZRANGEBYSCORE', root .. 'reglog', '(' .. text(since), '+inf')
local changes = {}
for _, id in ipairs(ids) do
  changes[#changes + 1] = {id, text(redis.call('ZCARD', root .. 'slots:' .. id)), allocated_of(id),
    redis.call('HGETALL', root .. 's:' .. id)}
end
return reply('changes', reg[1] or '', reg[2] or '0', whole and '1' or '0', changes)
