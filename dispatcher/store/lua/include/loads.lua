-- Tasks that bring their model into memory by themselves: from their start on it has its room there, as with a load on
-- command. loads:<server>, attempt (as in slots) -> model. A placement with `before` is loaded for them alone.
--- @include placement
local IDLE = 30000 -- ms since a task last started with a model

-- The model's record where a task would have to load it on this server, empty for one that was never there; nil where
-- it need not.
local function to_load(server, model)
  if not model then return nil end
  local s = redis.call('HMGET', root .. 's:' .. server, 'transport', 'offer')
  if s[1] ~= 'socket' or not string.find(s[2] or '', '"model:', 1, true) then return nil end -- it tells of no models
  local p = placement_of(server, model)
  if p and (p.status == 'loaded' or p.status == 'loading') then return nil end
  return p or {}
end

-- Whether there is room for it beside what the task itself needs, once so many models are gone. What is still in memory
-- has to go first: it is being unloaded, or did not fit.
local function load_fits(server, model, p, needs, room, gone)
  if p.status == 'unloading' or redis.call('HEXISTS', root .. 'held:' .. server, 'm:' .. model) == 1 then return false end
  if not p.status and redis.call('HLEN', root .. 'pl:' .. server) - gone >= MODELS_MOST then return false end
  if not room then return true end
  local left = {unpack(room)}
  for kind, amount in ipairs(amounts_of(needs)) do left[kind] = left[kind] - amount end
  return room_for_model(size_of(model), left)
end

local function could_hold(server, needs, model, p, room, gone)
  return fits_in(needs, room) and (not p or load_fits(server, model, p, needs, room, gone or 0))
end

local function load_for_tasks(server, model, p)
  p.before, p.took, p.takes = p.status or '', p.takes or '', ''
  start_load(server, model, p)
end

local function load_again(server, model)
  local p = to_load(server, model)
  if p then load_for_tasks(server, model, p.status and p or new_placement(nil, '', '0', '50')) end
end

-- An attempt starts that wants it.
local function load_begins(server, member, model)
  if not model then return end
  load_again(server, model)
  redis.call('HSET', root .. 'loads:' .. server, member, model)
end

local function is_wanted(server, model)
  for _, other in ipairs(redis.call('HVALS', root .. 'loads:' .. server)) do
    if other == model then return true end
  end
  return false
end

-- A model that tasks brought here, and that none has used for a while, is in nobody's way.
local function gives_way(server, model, p)
  if p.status ~= 'loaded' or p.assignment ~= '' or is_wanted(server, model) then return false end
  return now - number(redis.call('HGET', root .. 'plused:' .. server, model)) > IDLE
end

-- What a server has for a task once its attempts have ended, and the models that give way are gone.
local function room_at_best(server)
  local room, kept = totals_of(server), redis.call('HGETALL', root .. 'pl:' .. server)
  for i = 1, room and #kept or 0, 2 do
    local model, p = kept[i], cjson.decode(kept[i + 1])
    local held = redis.call('HGET', root .. 'held:' .. server, 'm:' .. model)
    if held and p.status ~= 'unloading' and not gives_way(server, model, p) then
      for kind, amount in ipairs(amounts_of(held)) do room[kind] = room[kind] - amount end
    end
  end
  return room
end

-- An attempt is over. A load that was begun for it and has not succeeded goes on for the next one that wants it.
local function load_left(server, member)
  local model = redis.call('HGET', root .. 'loads:' .. server, member)
  if not model then return end
  redis.call('HDEL', root .. 'loads:' .. server, member)
  local p = placement_of(server, model)
  if p and p.before and not is_wanted(server, model) then undo_load(server, model, p) end
end
