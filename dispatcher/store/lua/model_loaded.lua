-- model_loaded: a model is in a worker's memory, and takes so much of it. One that does not fit has failed and has to go;
-- until it is gone it holds all that is left. What a confined worker says of a model's size counts for itself alone.
-- KEYS    root
-- ARGV    server_id model takes load_ms
-- OPTIONS stats_ms events_kept
-- RETURNS placement fields | not_found | too_many | no_room
--- @include placement
--- @include fleet
if redis.call('EXISTS', root .. 's:' .. server_id) == 0 then return reply('not_found') end
local p = placement_of(server_id, model)
if not p and redis.call('HLEN', root .. 'pl:' .. server_id) >= MODELS_MOST then return reply('too_many') end
p = p or new_placement('', '', '0', '50')
local was = p.status
local counted = was == 'loaded' or was == 'unloading'
if not counted then release(server_id, 'm:' .. model) end
local room = room_of(server_id)
local fits = counted or fits_in(takes, room)
p.takes, p.load_ms, p.before, p.took, p.unmeasured = takes, load_ms, nil, nil, nil
if fits then
  p.status, p.why = 'loaded', ''
  release(server_id, 'm:' .. model)
  hold(server_id, 'm:' .. model, takes)
else
  local left = amounts_of(takes)
  for kind, amount in ipairs(left) do left[kind] = math.min(amount, math.max(room[kind], 0)) end
  hold(server_id, 'm:' .. model, text_of(left))
  p.status, p.why = 'failed', 'NO_ROOM: it takes more than the worker has free'
end
keep_placement(server_id, model, p)
if (redis.call('HGET', root .. 's:' .. server_id, 'only') or '') == '' then
  redis.call('HSET', root .. 'model:' .. model, 'takes', takes, 'load_ms', load_ms)
  redis.call('PEXPIRE', root .. 'model:' .. model, stats_ms)
end
if was ~= p.status then announce_fleet('model', 'id', server_id, 'model', model, 'state', p.status) end
if not fits then return reply('no_room') end
return reply('placement', placement_fields(server_id, model, p))
