-- Move a task between states: hash and listings together.
--- @include events
local function index_keys(t, state)
  local everyone, own = t.origin .. ':' .. state, t.origin .. ':' .. t.tenant .. ':' .. t.sub .. ':' .. state
  local keys = {root .. 'ix:' .. everyone, root .. 'ix:' .. own}
  for facet in string.gmatch(t.facets or '', '%S+') do
    keys[#keys + 1] = root .. 'fx:' .. facet .. ':' .. everyone
    keys[#keys + 1] = root .. 'fx:' .. facet .. ':' .. own
  end
  return keys
end

local function index_drop(id, t)
  for _, key in ipairs(index_keys(t, t.state)) do redis.call('ZREM', key, id) end
end

local function index_put(id, t)
  for _, key in ipairs(index_keys(t, t.state)) do redis.call('ZADD', key, t.created, id) end
end

local function set_state(id, t, state)
  index_drop(id, t)
  t.state = state
  redis.call('HSET', root .. 't:' .. id, 'state', state)
  index_put(id, t)
end
