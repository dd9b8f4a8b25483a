-- pause_task: hold a task back. A running one keeps its attempt, slot and lease, and its time-out stands still.
-- KEYS    root
-- ARGV    task_id origin tenant sub reason
-- OPTIONS updates_kept events_kept
-- EVENTS  pause
-- RETURNS paused | already | not_found | illegal state | no_control
--- @include state
--- @include queue
--- @include may
--- @include owned
local t = owned(task_id, origin, tenant, sub)
if not t then return reply('not_found') end
if t.state == 'PAUSED' then return reply('already') end
if not may('pause', t.state) then return reply('illegal', t.state) end
local key, due = root .. 't:' .. task_id, root .. 'due'
if t.state == 'PROCESSING' then
  -- what a gateway or a request of its own holds cannot be told
  if t.held ~= 's' or redis.call('HGET', root .. 's:' .. t.server, 'transport') ~= 'socket' then
    return reply('no_control')
  end
  t.halted = text(now)
  redis.call('HSET', key, 'halted', t.halted)
  redis.call('ZREM', due, 'x:' .. task_id)
else
  if t.state == 'PENDING' then dequeue(task_id, t) end
  redis.call('ZREM', due, 'r:' .. task_id, 's:' .. task_id)
  redis.call('HSET', key, 'right', '0')
  redis.call('HDEL', key, 'retry_at', 'passed', 'short', 'reserves') -- it waits for its owner now, not for room
end
redis.call('HSET', key, 'reason', reason)
set_state(task_id, t, 'PAUSED')
announce(task_id, t)
return reply('paused')
