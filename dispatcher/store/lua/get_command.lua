-- get_command: one command.
-- KEYS    root
-- ARGV    command_id
-- RETURNS command fields | not_found
--- @include command
local c = command_of(command_id)
if not c then return reply('not_found') end
return reply('command', command_fields(command_id, c))
