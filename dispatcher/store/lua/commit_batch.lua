-- commit_batch: all that was staged becomes valid, or none; it goes into the queue in chunks from now on.
-- KEYS    root
-- ARGV    batch origin tenant sub lane demand n:n bytes:n rule rate_key rate_limit:n
-- OPTIONS queue_max queue_bytes_max tenant_max tenant_bytes_max tenant_lanes_max
-- RETURNS committed created_ms rate_count rate_reset | limited count reset
-- RETURNS unknown count reset | quota count reset | full count reset | lane_unknown
--- @include rate
--- @include quota
local key, items = root .. 'batch:' .. batch, root .. 'items:' .. batch
local b = hash(key)
if b and b.committed then return reply('committed', b.committed, '0', '0') end -- our own reply was lost
if redis.call('HEXISTS', root .. 'lanes', lane) == 0 then return reply('lane_unknown') end
local rate_count, rate_reset = rate_hit(rule, rate_key, rate_limit)
if rate_limit > 0 and rate_count > rate_limit then return reply('limited', text(rate_count), text(rate_reset)) end
if not b or number(b['until']) <= now or redis.call('HLEN', items) ~= n then
  return reply('unknown', text(rate_count), text(rate_reset))
end

local over = over_quota(tenant, lane, n, bytes)
if over then return reply(over, text(rate_count), text(rate_reset)) end

redis.call('HSET', key, 'committed', text(now), 'committed_us', text(now_us), 'filled', '0', 'n', text(n), 'origin', origin,
  'tenant', tenant, 'sub', sub, 'lane', lane, 'demand', demand)
redis.call('PERSIST', key)
redis.call('PERSIST', items)
for _, add in ipairs({{'n', n}, {'b', bytes}, {'n:' .. tenant, n}, {'b:' .. tenant, bytes}}) do
  redis.call('HINCRBY', root .. 'live', add[1], add[2])
end
redis.call('HINCRBY', root .. 'lane_live', lane, n)
redis.call('ZADD', root .. 'due', now, 'b:' .. batch)
return reply('committed', text(now), text(rate_count), text(rate_reset))
