-- lease_operations: give a gateway running operations to drive; those past their deadline end as failed.
-- KEYS    root
-- ARGV    gateway lease_ms:n limit:n
-- OPTIONS retention_ms events_kept
-- RETURNS operations (id fields)...
--- @include operation
local found, live = {}, redis.call('ZRANGE', root .. 'oplive', 0, -1, 'WITHSCORES')
for i = 1, #live, 2 do
  local id, ends = live[i], tonumber(live[i + 1])
  local o = redis.call('HMGET', root .. 'op:' .. id, 'deadline', 'gw')
  if number(o[1]) <= now then
    end_operation(id, 'failed', 'It took too long')
  elseif #found < limit and (ends <= now or o[2] == gateway) then
    redis.call('ZADD', root .. 'oplive', now + lease_ms, id)
    redis.call('HSET', root .. 'op:' .. id, 'gw', gateway)
    found[#found + 1] = operation_fields(id)
  end
end
return reply('operations', found)
