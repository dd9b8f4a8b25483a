-- enqueue_command: keep a command for a worker that can be told, once per id.
-- KEYS    root
-- ARGV    command_id server_id verb args deadline:n for_ms:n
-- OPTIONS events_kept
-- RETURNS command fields | not_found | no_control | too_many | too_late
--- @include command
--- @include fleet
local WAITING_MOST, KEPT_MS = 64, 86400000
local known = command_of(command_id)
if known then return reply('command', command_fields(command_id, known)) end
local s = redis.call('HMGET', root .. 's:' .. server_id, 'class', 'transport', 'online')
if not s[1] then return reply('not_found') end
if s[2] ~= 'socket' or s[3] ~= '1' then return reply('no_control') end
deadline = math.min(deadline, now + for_ms)
if deadline <= now then return reply('too_late') end
local waiting, over = root .. 'cmds:' .. server_id, {}
local ids = redis.call('ZRANGE', waiting, 0, -1)
for _, id in ipairs(ids) do
  if number(redis.call('HGET', root .. 'cmd:' .. id, 'deadline')) <= now then over[#over + 1] = id end
end
if #ids - #over >= WAITING_MOST then return reply('too_many') end
if #over > 0 then redis.call('ZREM', waiting, unpack(over)) end
local c = {server = server_id, verb = verb, args = args, state = 'queued', queued = text(now), deadline = text(deadline)}
local key = root .. 'cmd:' .. command_id
redis.call('HSET', key, 'server', server_id, 'verb', verb, 'args', args, 'state', 'queued', 'queued', c.queued,
  'deadline', c.deadline)
redis.call('PEXPIRE', key, deadline - now + KEPT_MS)
redis.call('ZADD', waiting, redis.call('HINCRBY', root .. 'reg', 'commands', 1), command_id)
announce_fleet('command', 'id', server_id)
return reply('command', command_fields(command_id, c))
