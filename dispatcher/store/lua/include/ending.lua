-- How a task leaves an attempt, the queue, or life.
--- @include state
--- @include queue
--- @include stats
--- @include ranks
local function tell_waiters(id, t)
  for gateway in string.gmatch(t.waiters or '', '[^,]+') do
    local inbox = root .. 'inbox:' .. gateway
    redis.call('XADD', inbox, 'MAXLEN', '~', 1000, '*', 'kind', 'ended', 'task', id)
    redis.call('PEXPIRE', inbox, 10000)
  end
end

local function drop_timers(id)
  redis.call('ZREM', root .. 'due', 'l:' .. id, 'x:' .. id, 'd:' .. id, 'r:' .. id, 's:' .. id, 'n:' .. id)
end

local function count_live_lane(t, by)
  for _, key in ipairs({root .. 'lane_live', root .. 'tl:' .. t.tenant}) do
    if redis.call('HINCRBY', key, t.lane, by) == 0 then redis.call('HDEL', key, t.lane) end
  end
end

local function count_live(t, by)
  redis.call('HINCRBY', root .. 'live', 'n', by)
  redis.call('HINCRBY', root .. 'live', 'b', by * number(t.bytes))
  if redis.call('HINCRBY', root .. 'live', 'n:' .. t.tenant, by) == 0 then
    redis.call('HDEL', root .. 'live', 'n:' .. t.tenant, 'b:' .. t.tenant)
    return count_live_lane(t, by)
  end
  redis.call('HINCRBY', root .. 'live', 'b:' .. t.tenant, by * number(t.bytes))
  count_live_lane(t, by)
end

local ENDED_AS = {COMPLETED = 'completed', FAILED = 'failed', TIMEOUT = 'failed', CANCELLED = 'cancelled'}

local function end_task(id, t, state, code, why)
  local key = root .. 't:' .. id
  if t.state == 'PENDING' then dequeue(id, t) end
  leave_ranks(id, t)
  drop_timers(id)
  set_state(id, t, state)
  redis.call('HSET', key, 'ended', text(now), 'code', code, 'why', why, 'right', '0')
  redis.call('HDEL', key, 'retry_at', 'halted')
  if state == 'COMPLETED' then
    t.progress = '100'
    redis.call('HSET', key, 'progress', '100')
  end
  redis.call('ZADD', root .. 'keep', now + retention_ms, id)
  count_live(t, -1)
  count(t, ENDED_AS[state], 1)
  count_server(code ~= 'DECLINED' and t.server, ENDED_AS[state], 1)
  announce(id, t)
  tell_waiters(id, t)
  redis.call('HDEL', key, 'waiters')
end

-- The attempt of a paused task has ended, the task waits on.
local function stay_paused(id, t)
  redis.call('HDEL', root .. 't:' .. id, 'halted')
  t.halted = nil
  announce(id, t)
end

-- Back to the old place of the queue; fence and nonce stay, so a late report can still save the work.
local function requeue(id, t, right_until)
  leave_ranks(id, t)
  redis.call('ZREM', root .. 'due', 'l:' .. id, 'x:' .. id)
  if t.state == 'PAUSED' then return stay_paused(id, t) end
  set_state(id, t, 'PENDING')
  redis.call('HSET', root .. 't:' .. id, 'back', text(now), 'right', text(right_until))
  redis.call('HDEL', root .. 't:' .. id, 'retry_at')
  enqueue(id, t)
  announce(id, t)
end

local function retry_later(id, t, at, code, why)
  leave_ranks(id, t)
  redis.call('ZREM', root .. 'due', 'l:' .. id, 'x:' .. id)
  if t.state == 'PAUSED' then return stay_paused(id, t) end
  set_state(id, t, 'RETRYING')
  redis.call('HSET', root .. 't:' .. id, 'retry_at', text(at), 'code', code, 'why', why)
  redis.call('HDEL', root .. 't:' .. id, 'starved')
  redis.call('ZADD', root .. 'due', at, 'r:' .. id)
  announce(id, t)
end
