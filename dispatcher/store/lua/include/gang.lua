-- Starting a gang: all ranks at once, or none.
--- @include ranks
--- @include want
--- @include queue
--- @include fleet
--- @include reserve
--- @include models
--- @include decliners
local LOOKED_AT = 256 -- waiting workers of a class

local function waits_now(server, class)
  local s = redis.call('HMGET', root .. 's:' .. server, 'class', 'gateway')
  local present = s[2] and number(redis.call('ZSCORE', root .. 'gw', s[2])) > now
  if s[1] == class and present and refresh_server(server).free then return true end
  unwant(server, class) -- it asks again while it waits
  return false
end

local known = {} -- in this run: several lanes of gangs look at the same workers
local function wanted_by(server, class)
  if known[server] == nil then known[server] = waits_now(server, class) end
  return known[server]
end

local function enough_wait(t)
  local waiting = 1 -- the worker that asks, whether it is remembered or not
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. t.lane)) do
    waiting = waiting + redis.call('ZCARD', root .. 'want:' .. class)
  end
  return waiting >= gang_size(t)
end

-- Whoever waits for what this lane has, of all its classes.
local function longest_waiting(lane)
  local found = {}
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. lane)) do
    local waiting = redis.call('ZRANGE', root .. 'want:' .. class, 0, LOOKED_AT - 1, 'WITHSCORES')
    for i = 1, #waiting, 2 do
      found[#found + 1] = {id = waiting[i], class = class, since = tonumber(waiting[i + 1])}
    end
  end
  table.sort(found, function(a, b) return a.since < b.since or (a.since == b.since and a.id < b.id) end)
  return found
end

-- The workers for the ranks from 1 on, beside `server`; nil when too few wait. O(waiting workers), once in a claim that
-- meets gangs which as many workers as wait could run. One that failed the task is taken when there are not enough others.
local function peers_of(id, t, server)
  if not enough_wait(t) then return nil end
  local found, second = {}, {}
  local needed, tried = gang_size(t) - 1, ',' .. (t.tried or '') .. ','
  local forgiven = number(t.back) + avoid_ms <= now
  for _, other in ipairs(longest_waiting(t.lane)) do
    if #found == needed then return found end
    local asked = other.id ~= server and not has_declined(t.declined, other.id)
    if asked and wanted_by(other.id, other.class) and has_room(other.id, id, t.needs, t.loads) then
      local failed = string.find(tried, ',' .. other.id .. ',', 1, true)
      if not failed then found[#found + 1] = other.id elseif forgiven then second[#second + 1] = other.id end
    end
  end
  for _, other in ipairs(second) do
    if #found < needed then found[#found + 1] = other end
  end
  return #found == needed and found or nil
end

-- Whether the workers that are online could start it, were they all free.
local function could_start(t)
  return serving(t.lane, t.declined) >= gang_size(t)
end

-- The gang that gathers: workers that fit it are given nothing else until enough of them wait. One at a time, or two
-- would hold the workers that each other needs; and none that has too few to wait for, or it would hold them for nothing.
local function gathering()
  local id = redis.call('GET', root .. 'gathering')
  if not id then return nil end
  local t = hash(root .. 't:' .. id)
  if t and t.state == 'PENDING' and could_start(t) then return id, t end
  redis.call('DEL', root .. 'gathering')
  return nil
end

-- Too few workers wait for this head: after so long it gathers them. True when it does now.
local function passed_over(id, t)
  local key = root .. 't:' .. id
  redis.call('HSETNX', key, 'passed', text(now))
  if now - number(redis.call('HGET', key, 'passed')) < gather_ms or not could_start(t) then return false end
  return redis.call('SETNX', root .. 'gathering', id) == 1
end

-- Rank 0 has been started as any attempt is; its peers find theirs when they ask, within offer_ms.
local function start_ranks(id, t, server, peers)
  local servers = {server, unpack(peers)}
  set_ranks(id, t, servers)
  redis.call('HDEL', root .. 't:' .. id, 'passed')
  if redis.call('GET', root .. 'gathering') == id then redis.call('DEL', root .. 'gathering') end
  for rank = 1, #peers do
    local other = peers[rank]
    local member = slot(id, t.fence, rank)
    redis.call('ZADD', root .. 'slots:' .. other, now + offer_ms, member)
    redis.call('ZADD', root .. 'due', now + offer_ms, lease_timer(other, member))
    hold(other, member, t.needs)
    load_begins(other, member, t.loads)
    use_model(other, t.model)
    redis.call('HSET', root .. 's:' .. other, 'handed', member)
    unwant(other, redis.call('HGET', root .. 's:' .. other, 'class'))
    refresh_server(other)
    announce_fleet('server', 'id', other, 'state', 'handed')
  end
end

-- The rank that was reserved for a worker by the claim of another: (task, fields, rank), once.
local function take_handed(server)
  local member = redis.call('HGET', root .. 's:' .. server, 'handed')
  if not member then return nil end
  redis.call('HDEL', root .. 's:' .. server, 'handed')
  local id, fence, rank = string.match(member, '^([^:]+):(%d+):(%d+)$')
  local t = hash(root .. 't:' .. id)
  if t and t.fence == fence and redis.call('ZSCORE', root .. 'slots:' .. server, member) then
    return id, t, tonumber(rank)
  end
  return nil
end
