-- model_unloaded: a model is no longer in a worker's memory; its room is free. One that failed is remembered as such, and
-- a task that started with it meanwhile loads it again.
-- KEYS    root
-- ARGV    server_id model
-- OPTIONS events_kept
-- RETURNS gone | not_found
--- @include loads
--- @include fleet
local p = placement_of(server_id, model)
if not p then return reply('not_found') end
if p.status == 'loading' then return reply('gone') end
release(server_id, 'm:' .. model)
if p.status == 'failed' then
  wake()
  return reply('gone')
end
drop_placement(server_id, model)
if is_wanted(server_id, model) then load_again(server_id, model) end
announce_fleet('model', 'id', server_id, 'model', model, 'state', 'unloaded')
wake()
return reply('gone')
