-- model_unloaded: a model is no longer in a worker's memory; its room is free. One that failed is
-- remembered as such.
-- KEYS    root
-- ARGV    server_id model
-- OPTIONS events_kept
-- RETURNS gone | not_found
--- @include placement
--- @include fleet
local p = placement_of(server_id, model)
if not p then return reply('not_found') end
if p.status == 'failed' then return reply('gone') end
drop_placement(server_id, model)
announce_fleet('model', 'id', server_id, 'model', model, 'state', 'unloaded')
wake()
return reply('gone')
