-- model_unloaded: a model is no longer in a worker's memory; its room is free.
-- KEYS    root
-- ARGV    server_id model
-- OPTIONS events_kept
-- RETURNS gone | not_found
--- @include placement
--- @include fleet
if not placement_of(server_id, model) then return reply('not_found') end
drop_placement(server_id, model)
announce_fleet('model', 'id', server_id, 'model', model, 'state', 'unloaded')
wake()
return reply('gone')
