-- cancel_task: end a task as CANCELLED. A running attempt keeps its slot until the server is known to have stopped.
-- KEYS    root
-- ARGV    task_id origin tenant sub waiting_only
-- OPTIONS retention_ms stats_ms updates_kept events_kept attempts_kept
-- EVENTS  cancel
-- RETURNS cancelled server fence | already | not_found | illegal state
--- @include ending
--- @include slots
--- @include attempts
--- @include may
--- @include owned
--- @include lives
local t = owned(task_id, origin, tenant, sub)
if not t then return reply('not_found') end
if t.state == 'CANCELLED' then return reply('already') end
if not may('cancel', t.state) or (waiting_only == '1' and lives(t.state, t.halted)) then return reply('illegal', t.state) end
local server, fence = '', '0'
if t.server and redis.call('ZSCORE', root .. 'slots:' .. t.server, slot(task_id, t.fence)) then
  server, fence = t.server, t.fence
  if lives(t.state, t.halted) then attempt_ended(task_id, 'cancelled', '') end
  leave_slot(server, slot(task_id, fence))
end
if t.gang and lives(t.state, t.halted) and server == '' then attempt_ended(task_id, 'cancelled', '') end -- rank 0 is done
end_task(task_id, t, 'CANCELLED', 'CANCELLED', 'Cancelled')
return reply('cancelled', server, fence)
