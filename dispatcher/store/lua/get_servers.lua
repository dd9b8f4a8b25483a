-- get_servers: servers with live loads; all of them when none is named.
-- KEYS    root
-- ARGV    servers...
-- RETURNS servers (server active allocated fields)...
--- @include held
local ids = {}
for i = servers_at, #ARGV do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then ids = redis.call('ZRANGE', root .. 'servers', 0, -1) end
local found = {}
for _, id in ipairs(ids) do
  local fields = redis.call('HGETALL', root .. 's:' .. id)
  if #fields > 0 then
    found[#found + 1] = {id, text(redis.call('ZCARD', root .. 'slots:' .. id)), allocated_of(id), fields}
  end
end
return reply('servers', found)
