-- Slots: the set of (task, fence, rank) that a server holds, scored by the lease's end.
--- @include server
--- @include held
local function slot(id, fence)
  return id .. ':' .. fence .. ':0'
end

local function free_slot(server, member)
  local freed = redis.call('ZREM', root .. 'slots:' .. server, member)
  redis.call('HDEL', root .. 'acc:' .. server, member)
  redis.call('ZREM', root .. 'due', 'o:' .. server .. ':' .. member)
  redis.call('HDEL', root .. 'graced', server .. ':' .. member)
  release(server, member)
  if freed == 1 then refresh_server(server) end
  return freed == 1
end

-- The server may still be working: its slot stays until the lease ends.
local function leave_slot(server, member)
  local lease = redis.call('ZSCORE', root .. 'slots:' .. server, member)
  redis.call('HDEL', root .. 'acc:' .. server, member)
  if lease then redis.call('ZADD', root .. 'due', lease, 'o:' .. server .. ':' .. member) end
end
