-- model_loaded: a model is in a worker's memory, and takes so much of it. One that does not fit has failed: it has to go.
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
if was == 'loading' then release(server_id, 'm:' .. model) end
local fits = counted or fits_in(takes, room_of(server_id))
p.takes, p.load_ms = takes, load_ms
if fits then
  p.status, p.why = 'loaded', ''
  release(server_id, 'm:' .. model)
  hold(server_id, 'm:' .. model, takes)
else
  p.status, p.why = 'failed', 'NO_ROOM: it takes more than the worker has free'
end
keep_placement(server_id, model, p)
redis.call('HSET', root .. 'model:' .. model, 'takes', takes, 'load_ms', load_ms)
redis.call('PEXPIRE', root .. 'model:' .. model, stats_ms)
if was ~= p.status then announce_fleet('model', 'id', server_id, 'model', model, 'state', p.status) end
if not fits then return reply('no_room') end
return reply('placement', placement_fields(server_id, model, p))
