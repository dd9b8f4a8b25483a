-- pending_commands: what a worker is still to be sent, oldest first.
-- KEYS    root
-- ARGV    server_id
-- RETURNS pending (id server verb args state queued deadline detail)...
--- @include command
local found = {}
for _, id in ipairs(redis.call('ZRANGE', root .. 'cmds:' .. server_id, 0, -1)) do
  local c = command_of(id)
  if c and not c.shown then found[#found + 1] = command_fields(id, c) end
end
return reply('pending', found)
