-- Gateways that are told when a task ends: a bounded set, in one field.
--- @include base
local function add_waiter(id, gateway)
  local key = root .. 't:' .. id
  local waiters, n = redis.call('HGET', key, 'waiters') or '', 0
  for known in string.gmatch(waiters, '[^,]+') do
    if known == gateway then return end
    n = n + 1
  end
  if n < waiters_max then redis.call('HSET', key, 'waiters', waiters == '' and gateway or waiters .. ',' .. gateway) end
end
