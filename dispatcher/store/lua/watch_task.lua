-- watch_task: have a gateway's inbox told when the task ends.
-- KEYS    root
-- ARGV    task_id gateway
-- OPTIONS waiters_max
-- RETURNS watching | over
--- @include base
local key = root .. 't:' .. task_id
local t = redis.call('HMGET', key, 'state', 'ended', 'waiters')
if not t[1] or t[2] then return reply('over') end
local waiters, n = t[3] or '', 0
for known in string.gmatch(waiters, '[^,]+') do
  if known == gateway then return reply('watching') end
  n = n + 1
end
if n < waiters_max then redis.call('HSET', key, 'waiters', waiters == '' and gateway or waiters .. ',' .. gateway) end
return reply('watching')
