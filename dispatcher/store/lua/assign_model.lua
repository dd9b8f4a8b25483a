-- assign_model: put a model on workers, all or none.
-- KEYS    root
-- ARGV    model assignment preload priority servers...
-- RETURNS placements (fields)... | not_found server | no_room server | too_many server | model_busy server
--- @include placement
local takes = size_of(model)
for i = servers_at, #ARGV do
  local server = ARGV[i]
  if redis.call('EXISTS', root .. 's:' .. server) == 0 then return reply('not_found', server) end
  local p = placement_of(server, model)
  if p and p.status == 'unloading' then return reply('model_busy', server) end
  if not p and redis.call('HLEN', root .. 'pl:' .. server) >= MODELS_MOST then return reply('too_many', server) end
  if not (p and (p.status == 'loaded' or p.status == 'loading')) and not room_for_model(takes, room_soon(server)) then
    return reply('no_room', server)
  end
end
local found = {}
for i = servers_at, #ARGV do
  local server = ARGV[i]
  local p = placement_of(server, model)
  local stays = p and (p.status == 'loaded' or p.status == 'loading' or (p.status == 'queued' and preload ~= '1'))
  if stays and p.assignment == '' then -- its worker loaded it for a task; from now on it is kept
    p.assignment, p.preload, p.priority = assignment, preload, priority
    if p.before then p.before, p.took = preload == '1' and 'queued' or 'assigned', takes end
    keep_placement(server, model, p)
  elseif not stays then
    p = new_placement(preload == '1' and 'queued' or 'assigned', assignment, preload, priority)
    p.takes = takes
    keep_placement(server, model, p)
  end
  found[#found + 1] = placement_fields(server, model, p)
end
return reply('placements', found)
