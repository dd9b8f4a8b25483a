-- The bounds of the queue: of a tenant (tasks, bytes, lanes in which it waits) and of the namespace. Nil when there is
-- room for so many more tasks of so many bytes together.
--- @include base
local function over_quota(tenant, lane, tasks, bytes)
  local live = redis.call('HMGET', root .. 'live', 'n', 'b', 'n:' .. tenant, 'b:' .. tenant)
  if number(live[3]) + tasks > tenant_max or number(live[4]) + bytes > tenant_bytes_max then return 'quota' end
  local lanes = root .. 'tl:' .. tenant
  if redis.call('HEXISTS', lanes, lane) == 0 and redis.call('HLEN', lanes) >= tenant_lanes_max then return 'quota' end
  if number(live[1]) + tasks > queue_max or number(live[2]) + bytes > queue_bytes_max then return 'full' end
  return nil
end
