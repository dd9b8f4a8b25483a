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
  if p.before then -- tasks go on loading it
    p.before, p.why = 'failed', why
  elseif p.status == 'loading' then
    end_load(server_id, model, p, why)
  else
    p.status, p.why = after[p.status], why
  end
  keep_placement(server_id, model, p)
  if p.status == 'failed' then announce_fleet('model', 'id', server_id, 'model', model, 'state', 'failed') end
end
return reply('placement', placement_fields(server_id, model, p))
