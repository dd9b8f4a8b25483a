-- enqueue_command: keep a command for a worker that can be told, once per id.
-- KEYS    root
-- ARGV    command_id server_id verb args deadline:n for_ms:n
-- OPTIONS events_kept
-- RETURNS command fields | not_found | no_control | too_many | too_late
--- @include enqueue
local known = command_of(command_id)
if known then return reply('command', command_fields(command_id, known)) end
local s = redis.call('HMGET', root .. 's:' .. server_id, 'class', 'transport', 'online')
if not s[1] then return reply('not_found') end
if s[2] ~= 'socket' or s[3] ~= '1' then return reply('no_control') end
deadline = math.min(deadline, now + for_ms)
if deadline <= now then return reply('too_late') end
local c = enqueue_command(command_id, server_id, verb, args, deadline)
if not c then return reply('too_many') end
return reply('command', command_fields(command_id, c))
