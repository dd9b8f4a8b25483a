-- resume_task: let a paused task go on: running when its attempt lives, else to its old place, or to wait for its runAt.
-- KEYS    root
-- ARGV    task_id origin tenant sub reason
-- OPTIONS updates_kept events_kept
-- EVENTS  resume continue reschedule
-- RETURNS resumed | already | not_found | illegal state
--- @include state
--- @include queue
--- @include waking
--- @include may
--- @include owned
local t = owned(task_id, origin, tenant, sub)
if not t then return reply('not_found') end
if t.ended then return reply('illegal', t.state) end
local event = t.halted and 'continue' or number(t.run_at) > now and 'reschedule' or 'resume'
if not may(event, t.state) then return reply('already') end
local key, due = root .. 't:' .. task_id, root .. 'due'
redis.call('HSET', key, 'reason', reason)
if event == 'continue' then
  local ends, timed = number(t.ends), number(t.timeout) > 0
  if timed then ends = ends + now - number(t.halted) end -- what was left of its time
  if t.deadline then ends = math.min(ends, number(t.deadline)) end
  redis.call('HSET', key, 'ends', text(ends))
  if timed or t.deadline then redis.call('ZADD', due, ends, 'x:' .. task_id) end
  redis.call('HDEL', key, 'halted')
  set_state(task_id, t, 'PROCESSING')
elseif event == 'reschedule' then
  redis.call('ZADD', due, t.run_at, 's:' .. task_id)
  set_state(task_id, t, 'SCHEDULED')
else
  set_state(task_id, t, 'PENDING')
  redis.call('HSET', key, 'queued', text(now), 'back', text(now))
  enqueue(task_id, t)
  wake_for(t.lane)
end
announce(task_id, t)
return reply('resumed')
