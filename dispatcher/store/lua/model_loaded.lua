-- model_loaded: a model is in a worker's memory, and takes so much of it.
-- KEYS    root
-- ARGV    server_id model takes load_ms
-- OPTIONS stats_ms events_kept
-- RETURNS placement fields | not_found | too_many
--- @include placement
--- @include fleet
if redis.call('EXISTS', root .. 's:' .. server_id) == 0 then return reply('not_found') end
local p = placement_of(server_id, model)
if not p and redis.call('HLEN', root .. 'pl:' .. server_id) >= MODELS_MOST then return reply('too_many') end
p = p or new_placement('', '', '0', '50')
local was = p.status
p.status, p.takes, p.load_ms, p.why = 'loaded', takes, load_ms, ''
keep_placement(server_id, model, p)
release(server_id, 'm:' .. model)
hold(server_id, 'm:' .. model, takes)
redis.call('HSET', root .. 'model:' .. model, 'takes', takes, 'load_ms', load_ms)
redis.call('PEXPIRE', root .. 'model:' .. model, stats_ms)
if was ~= 'loaded' then announce_fleet('model', 'id', server_id, 'model', model, 'state', 'loaded') end
return reply('placement', placement_fields(server_id, model, p))
