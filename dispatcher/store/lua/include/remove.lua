-- Remove an ended task and all its traces but the slot it may have left behind.
--- @include state
local function remove_task(id, t)
  index_drop(id, t)
  redis.call('ZREM', root .. 'keep', id)
  local idem = t.idem and root .. 'idem:' .. t.origin .. ':' .. t.tenant .. ':' .. t.sub .. ':' .. t.idem
  if idem and redis.call('HGET', idem, 'id') == id then redis.call('DEL', idem) end -- it may be a newer task's by now
  if redis.call('EXISTS', root .. 'tf:' .. id) == 1 then redis.call('SADD', root .. 'file_gone', id) end
  local said = redis.call('HGET', root .. 'logh:' .. id, 'bytes')
  if said and redis.call('HINCRBY', root .. 'log_use', t.tenant, '-' .. said) <= 0 then
    redis.call('HDEL', root .. 'log_use', t.tenant)
  end
  redis.call('DEL', root .. 't:' .. id, root .. 'in:' .. id, root .. 'out:' .. id, root .. 'spec:' .. id,
    root .. 'att:' .. id, root .. 'ev:' .. id, root .. 'mt:' .. id, root .. 'ranks:' .. id, root .. 'log:' .. id,
    root .. 'logh:' .. id)
end
