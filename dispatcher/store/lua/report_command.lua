-- report_command: how far a worker is with a command; what does not move it on changes nothing.
-- KEYS    root
-- ARGV    server_id command_id state detail
-- RETURNS command fields | not_found
--- @include command
local c = command_of(command_id)
if not c or c.server ~= server_id then return reply('not_found') end
if RANKS[state] <= RANKS[c.state] then return reply('command', command_fields(command_id, c)) end
redis.call('HSET', root .. 'cmd:' .. command_id, 'state', state, 'detail', detail)
if RANKS[state] >= 2 then redis.call('ZREM', root .. 'cmds:' .. server_id, command_id) end
return reply('command', command_fields(command_id, command_of(command_id)))
