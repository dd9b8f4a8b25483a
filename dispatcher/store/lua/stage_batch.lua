-- stage_batch: put tasks aside, in no list, count or queue.
-- KEYS    root
-- ARGV    batch lane first:n keep_ms:n records...
-- RETURNS staged | lane_unknown
--- @include base
local key, items = root .. 'batch:' .. batch, root .. 'items:' .. batch
if redis.call('HEXISTS', root .. 'lanes', lane) == 0 then return reply('lane_unknown') end
if redis.call('HEXISTS', key, 'committed') == 1 then return reply('staged') end
redis.call('HSETNX', key, 'until', text(now + keep_ms))
for i = records_at, #ARGV do redis.call('HSET', items, text(first + i - records_at), ARGV[i]) end
redis.call('PEXPIRE', key, keep_ms)
redis.call('PEXPIRE', items, keep_ms)
return reply('staged')
