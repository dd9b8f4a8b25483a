-- Move a task between states: hash and listings together.
--- @include events
local function index_keys(t, state)
  return root .. 'ix:' .. t.origin .. ':' .. state,
    root .. 'ix:' .. t.origin .. ':' .. t.tenant .. ':' .. t.sub .. ':' .. state
end

local function index_drop(id, t)
  local everyone, own = index_keys(t, t.state)
  redis.call('ZREM', everyone, id)
  redis.call('ZREM', own, id)
end

local function index_put(id, t)
  local everyone, own = index_keys(t, t.state)
  redis.call('ZADD', everyone, t.created, id)
  redis.call('ZADD', own, t.created, id)
end

local function set_state(id, t, state)
  index_drop(id, t)
  t.state = state
  redis.call('HSET', root .. 't:' .. id, 'state', state)
  index_put(id, t)
end
