-- begin_load: a queued model is loaded now, when it is its turn and there is room.
-- KEYS    root
-- ARGV    server_id model
-- RETURNS placement fields | not_found
--- @include placement
local p = placement_of(server_id, model)
if not p then return reply('not_found') end
local function goes_before(other)
  if other.status == 'loading' then return true end
  local a, b = number(other.priority), number(p.priority)
  return other.status == 'queued' and (a > b or (a == b and number(other.seq) < number(p.seq)))
end
local turn = p.status == 'queued' and room_for_model(p.takes, room_of(server_id))
for _, record in ipairs(redis.call('HVALS', root .. 'pl:' .. server_id)) do
  if turn and goes_before(cjson.decode(record)) then turn = false end
end
if turn then start_load(server_id, model, p) end
return reply('placement', placement_fields(server_id, model, p))
