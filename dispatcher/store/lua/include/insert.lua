-- A new task: its fields, payload, spec, places in the listings and count; not in the queue yet.
--- @include ending
local function insert_task(id, t, spec, payload)
  local flat = {}
  for field, value in pairs(t) do
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  redis.call('HSET', root .. 't:' .. id, unpack(flat))
  redis.call('SET', root .. 'in:' .. id, payload)
  redis.call('SET', root .. 'spec:' .. id, spec)
  index_put(id, t)
  count(t, 'created', 1)
end

local function start_until(id, at)
  redis.call('HSET', root .. 't:' .. id, 'waiting_deadline', text(at))
  redis.call('ZADD', root .. 'due', at, 'd:' .. id)
end
