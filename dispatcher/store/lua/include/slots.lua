-- Slots: the set of (task, fence, rank) that a server holds, scored by the lease's end.
--- @include server
--- @include loads
local function slot(id, fence, rank)
  return id .. ':' .. fence .. ':' .. text(rank or 0)
end

-- The timer of a slot's lease: one per attempt, and one more for each further rank of a gang.
local function lease_timer(server, member)
  local id, rank = string.match(member, '^([^:]+):%d+:(%d+)$')
  return rank == '0' and 'l:' .. id or 'k:' .. server .. ':' .. member
end

local function drop_rank_timer(server, member)
  if string.sub(member, -2) ~= ':0' then redis.call('ZREM', root .. 'due', lease_timer(server, member)) end
end

local function free_slot(server, member)
  local freed = redis.call('ZREM', root .. 'slots:' .. server, member)
  redis.call('HDEL', root .. 'acc:' .. server, member)
  redis.call('ZREM', root .. 'due', 'o:' .. server .. ':' .. member)
  drop_rank_timer(server, member)
  redis.call('HDEL', root .. 'graced', server .. ':' .. member)
  release(server, member)
  load_left(server, member)
  if freed == 1 then refresh_server(server) end
  return freed == 1
end

-- The server may still be working: its slot stays until the lease ends.
local function leave_slot(server, member)
  local lease = redis.call('ZSCORE', root .. 'slots:' .. server, member)
  redis.call('HDEL', root .. 'acc:' .. server, member)
  drop_rank_timer(server, member)
  if lease then redis.call('ZADD', root .. 'due', lease, 'o:' .. server .. ':' .. member) end
end
