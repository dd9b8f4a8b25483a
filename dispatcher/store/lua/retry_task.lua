-- retry_task: reopen a FAILED or TIMEOUT task; the fence stays, every earlier report is refused from now on.
-- KEYS    root
-- ARGV    task_id origin tenant sub waiting_ms:n op_id
-- OPTIONS queue_max queue_bytes_max tenant_max tenant_bytes_max tenant_lanes_max first_right_ms stats_ms updates_kept events_kept retention_ms
-- EVENTS  reopen
-- RETURNS created id state created_ms rate_count rate_reset [complete turn (server load)...] | not_found | illegal state | lane_unknown demand | quota 0 0 | full 0 0
--- @include ending
--- @include candidates
--- @include may
--- @include owned
--- @include quota
local t = owned(task_id, origin, tenant, sub)
if not t then return reply('not_found') end
local key = root .. 't:' .. task_id
if t.reopened_by == op_id then return reply('created', task_id, t.state, t.created, '0', '0') end
if not may('reopen', t.state) then return reply('illegal', t.state) end
if redis.call('HEXISTS', root .. 'lanes', t.lane) == 0 then return reply('lane_unknown', t.demand or '') end
local over = over_quota(t.tenant, t.lane, 1, number(t.bytes))
if over then return reply(over, '0', '0') end
redis.call('HINCRBY', key, 'run', 1)
redis.call('HDEL', key, 'code', 'why', 'right_of', 'begun', 'started', 'ended', 'done', 'next', 'tried', 'waiting_deadline', 'run_at',
  'short', 'reserves', 'declined', 'decline', 'nobody')
redis.call('DEL', root .. 'out:' .. task_id)
t.score, t.progress = text(now_us - number(t.boost) * 1000), '0'
redis.call('HSET', key, 'failures', '0', 'losses', '0', 'nonce', '', 'closed', t.fence or '0', 'progress', '0',
  'score', t.score, 'queued', text(now), 'reopened_by', op_id)
redis.call('ZREM', root .. 'keep', task_id)
if number(t.deadline) > now then
  redis.call('ZADD', root .. 'due', t.deadline, 'd:' .. task_id)
else -- it ended the run before, it must not end this one
  redis.call('HDEL', key, 'deadline')
end
if waiting_ms > 0 and number(t.deadline) <= now then
  redis.call('HSET', key, 'waiting_deadline', text(now + waiting_ms))
  redis.call('ZADD', root .. 'due', now + waiting_ms, 'd:' .. task_id)
end
set_state(task_id, t, 'PENDING')
count_live(t, 1)
count(t, 'reopened', 1)
enqueue(task_id, t)
local free = candidates_with_turn(t.lane, nil, task_id, t.needs)
if #free > 2 then
  redis.call('HSET', key, 'right', text(now + first_right_ms))
else
  free = {}
end
announce(task_id, t)
return reply('created', task_id, 'PENDING', t.created, '0', '0', unpack(free))
