-- get_placements: the models of workers; of all when none is named.
-- KEYS    root
-- ARGV    model servers...
-- RETURNS placements (fields)...
--- @include placement
local servers, found = {}, {}
for i = servers_at, #ARGV do servers[#servers + 1] = ARGV[i] end
if #servers == 0 then servers = redis.call('ZRANGE', root .. 'servers', 0, -1) end
for _, server in ipairs(servers) do
  local names = model ~= '' and {model} or redis.call('HKEYS', root .. 'pl:' .. server)
  table.sort(names)
  for _, name in ipairs(names) do
    local p = placement_of(server, name)
    if p then found[#found + 1] = placement_fields(server, name, p) end
  end
end
return reply('placements', found)
