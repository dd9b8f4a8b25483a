-- Models on workers: pl:<server>, model -> a record (JSON). What one takes is held as m:<model> beside the attempts'.
--- @include held
--- @include server
local MODELS_MOST = 64

local function placement_of(server, model)
  local kept = redis.call('HGET', root .. 'pl:' .. server, model)
  return kept and cjson.decode(kept) or nil
end

local function placement_fields(server, model, p)
  local used = redis.call('HGET', root .. 'plused:' .. server, model) or ''
  return {server, model, p.status, p.assignment, p.preload, p.priority, p.takes, p.load_ms, used, p.why}
end

-- The models in memory are part of the server's record, so that gateways know them without asking.
local function show_models(server)
  local loaded = {}
  local kept = redis.call('HGETALL', root .. 'pl:' .. server)
  for i = 1, #kept, 2 do
    if cjson.decode(kept[i + 1]).status == 'loaded' then loaded[#loaded + 1] = kept[i] end
  end
  table.sort(loaded)
  local shown = table.concat(loaded, '\n')
  local before = redis.call('HGET', root .. 's:' .. server, 'models') or ''
  if before ~= shown then
    for model in string.gmatch(before, '[^\n]+') do redis.call('ZREM', root .. 'warm:' .. model, server) end
    for _, model in ipairs(loaded) do redis.call('ZADD', root .. 'warm:' .. model, 0, server) end
    redis.call('HSET', root .. 's:' .. server, 'models', shown)
    register_change(server)
  end
end

local function keep_placement(server, model, p)
  redis.call('HSET', root .. 'pl:' .. server, model, cjson.encode(p))
  show_models(server)
end

local function drop_placement(server, model)
  redis.call('HDEL', root .. 'pl:' .. server, model)
  redis.call('HDEL', root .. 'plused:' .. server, model)
  release(server, 'm:' .. model)
  show_models(server)
end

-- Room for a model: what it takes where that is known, else any memory at all.
local function room_for_model(takes, room)
  if takes ~= '' then return fits_in(takes, room) end
  return not room or room[2] > 0 or room[5] > 0
end

local function new_placement(status, assignment, preload, priority)
  return {status = status, assignment = assignment, preload = preload, priority = priority, takes = '', load_ms = '',
    why = '', seq = text(redis.call('HINCRBY', root .. 'reg', 'placements', 1))}
end

-- The worker started anew: nothing is in its memory. What was there may be loaded again; a load that was
-- under way has failed: it may be what brought the worker down.
local function forget_loaded(server)
  local kept = redis.call('HGETALL', root .. 'pl:' .. server)
  for i = 1, #kept, 2 do
    local p = cjson.decode(kept[i + 1])
    if p.status == 'loaded' or p.status == 'loading' or p.status == 'unloading' then
      if p.status == 'loading' then
        p.status, p.why = 'failed', 'The worker restarted'
      else
        p.status = 'assigned'
      end
      release(server, 'm:' .. kept[i])
      redis.call('HSET', root .. 'pl:' .. server, kept[i], cjson.encode(p))
    end
  end
  if #kept > 0 then show_models(server) end
end
