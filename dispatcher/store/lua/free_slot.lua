-- free_slot: the server confirmed that it stopped; free the slot that an ended attempt left behind.
-- KEYS    root
-- ARGV    task_id server fence
-- RETURNS freed | kept
--- @include slots
local t = redis.call('HMGET', root .. 't:' .. task_id, 'state', 'fence')
if t[1] == 'PROCESSING' and t[2] == fence then return reply('kept') end
if free_slot(server, slot(task_id, fence)) then wake() end
return reply('freed')
