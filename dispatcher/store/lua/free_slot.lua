-- free_slot: the server confirmed that it stopped; free the slot that an ended attempt left behind.
-- KEYS    root
-- ARGV    task_id server fence
-- RETURNS freed | kept
--- @include slots
--- @include lives
local t = redis.call('HMGET', root .. 't:' .. task_id, 'state', 'fence', 'halted')
if lives(t[1], t[3]) and t[2] == fence then return reply('kept') end
if free_slot(server, slot(task_id, fence)) then wake() end
return reply('freed')
