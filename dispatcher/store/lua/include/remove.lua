-- Remove an ended task and all its traces but the slot it may have left behind.
--- @include state
local function remove_task(id, t)
  index_drop(id, t)
  redis.call('ZREM', root .. 'keep', id)
  if t.idem then redis.call('DEL', root .. 'idem:' .. t.origin .. ':' .. t.tenant .. ':' .. t.sub .. ':' .. t.idem) end
  redis.call('DEL', root .. 't:' .. id, root .. 'in:' .. id, root .. 'out:' .. id, root .. 'spec:' .. id,
    root .. 'att:' .. id, root .. 'ev:' .. id)
end
