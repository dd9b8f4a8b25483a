-- watch_task: have a gateway's inbox told when the task ends.
-- KEYS    root
-- ARGV    task_id gateway
-- OPTIONS waiters_max
-- RETURNS watching | over
--- @include waiters
local t = redis.call('HMGET', root .. 't:' .. task_id, 'state', 'ended')
if not t[1] or t[2] then return reply('over') end
add_waiter(task_id, gateway)
return reply('watching')
