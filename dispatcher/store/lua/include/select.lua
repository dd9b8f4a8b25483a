-- The head of the queue for a server's class that this server may start now, or nil.
--- @include gang
--- @include reserve
--- @include warm
--- @include way
local HEADS = 4 -- looked at in one go
local PASSED = 16 -- lanes passed by in one go: no room for their head, or too few workers for a gang
local passed, declined -- the latter: tasks that the server declined, stepped over in one go

local function may_start(id, lane, server)
  local t = redis.call('HMGET', root .. 't:' .. id, 'right', 'tried', 'back', 'shy', 'model', 'queued', 'needs', 'loads',
    'declined')
  if number(t[1]) > now then return false end
  if t[2] and t[2] ~= '' and string.find(',' .. t[2] .. ',', ',' .. server .. ',', 1, true) then
    -- where reports name no attempt, a late one could pass for the new one's: only if nobody else is there
    return (not t[4] and number(t[3]) + avoid_ms <= now) or serving(lane, t[9]) < 2
  end
  local asks = {lane = lane, tried = t[2] or nil, model = t[5], queued = t[6], needs = t[7], loads = t[8], declined = t[9]}
  return not left_to_warm(id, asks, server)
end

-- The first tasks of a queue that this server did not decline, with their scores; and the score of its very first.
local function heads_of(queue, server)
  local found, first, at, to = {}, nil, 0, HEADS - 1
  while true do
    local some = redis.call('ZRANGE', queue, at, to, 'WITHSCORES')
    first = first or some[2]
    for i = 1, #some, 2 do
      if not has_declined(redis.call('HGET', root .. 't:' .. some[i], 'declined'), server) then
        found[#found + 1], found[#found + 2] = some[i], some[i + 1]
        if #found == 2 * HEADS then return found, first end
      elseif declined == declined_max then
        passed = passed + 1
        return found, first
      else
        declined = declined + 1
      end
    end
    if #some < 2 * (to - at + 1) then return found, first end
    at, to = to + 1, to + 64
  end
end

-- A lane of gangs, by its head: it starts when enough workers wait, this one among them; those behind it ask the same.
local function select_gang(id, t, tenant, score, server, waits)
  if not waits or number(t.right) > now then
    passed = passed + 1
    return nil
  end
  local peers = has_room(server, id, t.needs, t.loads) and peers_of(id, t, server)
  if peers then return {id = id, tenant = tenant, score = score, peers = peers} end
  passed = passed_over(id, t) and PASSED or passed + 1
  return nil
end

local function select_in_lanes(class, tenant, server, looked, waits)
  local lanes = root .. 'rl:' .. class .. ':' .. tenant
  local at = 0
  while looked < HEADS and passed < PASSED do
    local top = redis.call('ZRANGE', lanes, at, at, 'WITHSCORES')
    if #top == 0 then return nil, looked, at == 0 end
    local lane = top[1]
    local heads, first = heads_of(root .. 'q:' .. lane .. ':' .. tenant, server)
    if not first then
      redis.call('ZREM', lanes, lane)
    elseif tonumber(first) > tonumber(top[2]) then
      redis.call('ZADD', lanes, first, lane)
    elseif heads[1] and redis.call('HEXISTS', root .. 't:' .. heads[1], 'gang') == 1 then
      local t = hash(root .. 't:' .. heads[1])
      local head = select_gang(heads[1], t, tenant, tonumber(heads[2]), server, waits)
      if head then return head, looked, false end
      at = at + 1
    else
      for i = 1, #heads, 2 do
        if looked == HEADS then break end
        looked = looked + 1
        if may_start(heads[i], lane, server) then
          local asks = redis.call('HMGET', root .. 't:' .. heads[i], 'needs', 'loads')
          if has_room(server, heads[i], asks[1], asks[2]) then
            return {id = heads[i], lane = lane, tenant = tenant, score = tonumber(heads[i + 1])}, looked, false
          end
          make_way(server, asks[1], asks[2])
          reserve(server, heads[i])
          looked, passed = looked - 1, passed + 1
          break -- what waits behind it in its lane needs about as much
        end
      end
      at = at + 1
    end
  end
  return nil, looked, false
end

-- The task that this server is kept for, once it fits: it goes before the order of the queue.
local function reserved_head(server, class)
  local id = reserved_for(server)
  local t = id and hash(root .. 't:' .. id)
  if not t or t.gang or not has_room(server, id, t.needs, t.loads) or not may_start(id, t.lane, server) then return nil end
  local vt = math.max(number(redis.call('ZSCORE', root .. 'vt', t.tenant)),
    number(redis.call('ZSCORE', root .. 'ready:' .. class, t.tenant)))
  return {id = id, lane = t.lane, tenant = t.tenant, score = tonumber(t.score), vt = vt}
end

-- `waits`: the server waits on an open connection, and may be one of a gang.
local function select_head(server, class, waits)
  passed, declined = 0, 0
  local gang, t = gathering()
  local held = gang and waits and not has_declined(t.declined, server)
  if held and redis.call('SISMEMBER', root .. 'lc:' .. t.lane, class) == 1 then
    return select_gang(gang, t, t.tenant, number(t.score), server, waits)
  end
  local kept = reserved_head(server, class)
  if kept then return kept end
  local ready = root .. 'ready:' .. class
  local at, looked = 0, 0
  while looked < HEADS and passed < PASSED do
    local top = redis.call('ZRANGE', ready, at, at, 'WITHSCORES')
    if #top == 0 then return nil end
    local tenant = top[1]
    local vt = number(redis.call('ZSCORE', root .. 'vt', tenant))
    if vt > tonumber(top[2]) then
      redis.call('ZADD', ready, string.format('%.17g', vt), tenant)
    else
      local head, seen, idle = select_in_lanes(class, tenant, server, looked, waits)
      looked = seen
      if head then
        head.vt = tonumber(top[2])
        return head
      end
      if idle then redis.call('ZREM', ready, tenant) else at = at + 1 end
    end
  end
  return nil
end
