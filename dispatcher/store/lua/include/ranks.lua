-- The ranks of a gang: one attempt, one fence, each rank on a worker of its own. Rank 0 is the attempt's own slot.
--- @include slots
local function gang_size(t)
  return number(t.gang or '1')
end

-- The rank that a worker has of the current attempt, or had before it reported its end; nil for any other worker.
local function rank_of(id, t, server)
  if not t.gang then return t.server == server and 0 or nil end
  local fence, rank = string.match(redis.call('HGET', root .. 'ranks:' .. id, 'at:' .. server) or '', '^(%d+):(%d+)$')
  return fence == t.fence and tonumber(rank) or nil
end

-- The attempt goes on nowhere: what the other ranks hold stays until their workers say that they have stopped, but for
-- those that were never told of it.
local function leave_ranks(id, t)
  if not t.gang then return end
  redis.call('HDEL', root .. 'ranks:' .. id, 'out')
  for rank = 0, gang_size(t) - 1 do
    local server = redis.call('HGET', root .. 'ranks:' .. id, 's' .. rank)
    local member = server and slot(id, t.fence, rank)
    if member and redis.call('HGET', root .. 's:' .. server, 'handed') == member then
      redis.call('HDEL', root .. 's:' .. server, 'handed')
      free_slot(server, member)
    elseif member then
      leave_slot(server, member)
    end
  end
end

-- Remember who has which rank from now on, and forget how far those of the attempt before came.
local function set_ranks(id, t, servers)
  local key, flat = root .. 'ranks:' .. id, {}
  for rank = 0, gang_size(t) - 1 do
    redis.call('HDEL', key, 'p' .. rank, 'e' .. rank)
    local server = servers[rank + 1]
    for _, part in ipairs({'s' .. rank, server, 'at:' .. server, t.fence .. ':' .. rank}) do flat[#flat + 1] = part end
  end
  redis.call('HSET', key, unpack(flat))
end

-- How far the whole gang is: the mean over its ranks, in percent.
local function gang_progress(id, t, rank, percent)
  local key, sum = root .. 'ranks:' .. id, 0
  if percent > number(redis.call('HGET', key, 'p' .. rank)) then
    redis.call('HSET', key, 'p' .. rank, string.format('%.14g', percent))
  end
  for one = 0, gang_size(t) - 1 do sum = sum + number(redis.call('HGET', key, 'p' .. one)) end
  return sum / gang_size(t)
end
