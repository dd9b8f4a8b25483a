-- model_failed: a worker could not load a model, or not unload it.
-- KEYS    root
-- ARGV    server_id model why
-- OPTIONS events_kept
-- RETURNS placement fields | not_found
--- @include placement
--- @include fleet
local p = placement_of(server_id, model)
if not p then return reply('not_found') end
local after = {queued = 'failed', loading = 'failed', unloading = 'loaded'}
if after[p.status] then
  local loading, for_tasks = p.status == 'loading', p.before ~= nil
  p.why = why
  if for_tasks then -- they go on loading it
    p.before = 'failed'
  else
    if loading then release(server_id, 'm:' .. model) end
    if p.unmeasured then p.takes, p.unmeasured = '', nil end -- all that was left is no size
    p.status = after[p.status]
  end
  keep_placement(server_id, model, p)
  if p.status == 'failed' then announce_fleet('model', 'id', server_id, 'model', model, 'state', 'failed') end
end
return reply('placement', placement_fields(server_id, model, p))
