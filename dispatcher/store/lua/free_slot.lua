-- free_slot: the server confirmed that it stopped; free the slot that an ended attempt left behind.
-- KEYS    root
-- ARGV    task_id server fence:n
-- RETURNS freed | kept
--- @include left
local t = hash(root .. 't:' .. task_id)
if t and lives(t.state, t.halted) and number(t.fence) == fence then return reply('kept') end
if free_left(server, task_id, t, fence) then wake() end
return reply('freed')
