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
    redis.call('HSET', root .. 's:' .. server, 'models', shown)
    register_change(server)
  end
end

local function keep_placement(server, model, p)
  redis.call('HSET', root .. 'pl:' .. server, model, cjson.encode(p))
  local comes = p.assignment ~= '' and (p.status == 'assigned' or p.status == 'queued' or p.status == 'loading')
  if p.status == 'loaded' or comes then
    redis.call('ZADD', root .. 'warm:' .. model, comes and 1 or 0, server)
  else
    redis.call('ZREM', root .. 'warm:' .. model, server)
  end
  show_models(server)
end

local function drop_placement(server, model)
  redis.call('HDEL', root .. 'pl:' .. server, model)
  redis.call('HDEL', root .. 'plused:' .. server, model)
  redis.call('ZREM', root .. 'warm:' .. model, server)
  release(server, 'm:' .. model)
  show_models(server)
end

-- What a model took where it was loaded last; empty when that is not known.
local function size_of(model)
  return redis.call('HGET', root .. 'model:' .. model, 'takes') or ''
end

-- Room for a model: what it takes where that is known, else any memory at all.
local function room_for_model(takes, room)
  if takes ~= '' then return fits_in(takes, room) end
  return not room or room[2] > 0 or room[5] > 0
end

-- The room of a worker once what is loaded there is measured: that may be anything.
local function room_soon(server)
  local room, kept = room_of(server), redis.call('HGETALL', root .. 'pl:' .. server)
  for i = 1, room and #kept or 0, 2 do
    if cjson.decode(kept[i + 1]).unmeasured then
      local amounts = amounts_of(redis.call('HGET', root .. 'held:' .. server, 'm:' .. kept[i]) or '')
      for kind, amount in ipairs(amounts) do room[kind] = room[kind] + amount end
    end
  end
  return room
end

-- From here on it is loaded, and has its room. One of unknown size has all memory that is left until it is measured:
-- nothing may be promised meanwhile that it may turn out to take.
local function start_load(server, model, p)
  p.status, p.takes = 'loading', p.takes ~= '' and p.takes or size_of(model)
  local room = p.takes == '' and room_of(server)
  p.unmeasured = room and '1' or nil
  if room then p.takes = text_of({0, math.max(room[2], 0), 0, 0, math.max(room[5], 0)}) end
  hold(server, 'm:' .. model, p.takes)
  keep_placement(server, model, p)
end

local function new_placement(status, assignment, preload, priority)
  return {status = status, assignment = assignment, preload = preload, priority = priority, takes = '', load_ms = '',
    why = '', seq = text(redis.call('HINCRBY', root .. 'reg', 'placements', 1))}
end

-- A load has failed; what it was thought to take is not known any more.
local function end_load(server, model, p, why)
  p.status, p.why = 'failed', why
  if p.unmeasured then p.takes, p.unmeasured = '', nil end
  release(server, 'm:' .. model)
end

-- A load that nobody waits for any more: as if it had not been begun.
local function undo_load(server, model, p)
  if p.before == '' then return drop_placement(server, model) end
  release(server, 'm:' .. model)
  p.status, p.takes, p.before, p.took, p.unmeasured = p.before, p.took, nil, nil, nil
  keep_placement(server, model, p)
end

-- Nothing is in the worker's memory: it started anew, or left. What was assigned to it may be loaded again, what it
-- loaded for its tasks is forgotten; a load on command that was under way has failed: it may be what brought it down.
local function forget_loaded(server)
  local kept = redis.call('HGETALL', root .. 'pl:' .. server)
  for i = 1, #kept, 2 do
    local model, p = kept[i], cjson.decode(kept[i + 1])
    if p.before then
      undo_load(server, model, p)
    elseif p.status == 'loading' then
      end_load(server, model, p, 'The worker restarted')
      keep_placement(server, model, p)
    elseif p.status == 'loaded' or p.status == 'unloading' then
      if p.assignment == '' then
        drop_placement(server, model)
      else
        p.status = 'assigned'
        release(server, 'm:' .. model)
        keep_placement(server, model, p)
      end
    else
      release(server, 'm:' .. model) -- one that did not fit
    end
  end
end
