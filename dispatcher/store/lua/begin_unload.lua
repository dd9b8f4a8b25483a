-- begin_unload: a loaded model is unloaded now; one that is not in memory is forgotten.
-- KEYS    root
-- ARGV    server_id model
-- RETURNS placement fields | gone | not_found | model_busy
--- @include placement
local p = placement_of(server_id, model)
if not p then return reply('not_found') end
if p.status == 'loading' then return reply('model_busy') end
if p.status == 'loaded' then
  p.status = 'unloading'
  keep_placement(server_id, model, p)
elseif p.status ~= 'unloading' then
  drop_placement(server_id, model)
  return reply('gone')
end
return reply('placement', placement_fields(server_id, model, p))
