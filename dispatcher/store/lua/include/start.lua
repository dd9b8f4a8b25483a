-- Start an attempt of a queued task on a server with a free slot: fence, slot, lease, time-out. Returns the grant.
--- @include state
--- @include queue
--- @include slots
--- @include attempts
--- @include budget
local function grant_of(id, t)
  return {id, t.server, t.fence, t.nonce, t.type, t.lane, t.points, redis.call('GET', root .. 'spec:' .. id) or '',
    redis.call('GET', root .. 'in:' .. id) or '', t.ends, t.failures or '0', t.losses or '0', t.tried or ''}
end

local function start_attempt(id, t, server, nonce, gateway, claim_id, lease)
  local key = root .. 't:' .. id
  dequeue(id, t)
  charge(t)
  t.fence = text(redis.call('HINCRBY', key, 'fence', 1))
  t.server, t.nonce, t.progress = server, nonce, '0'
  local ends = now + number(t.timeout)
  if t.deadline and number(t.deadline) < ends then ends = number(t.deadline) end
  t.ends = text(ends)
  set_state(id, t, 'PROCESSING')
  redis.call('HSET', key, 'server', server, 'nonce', nonce, 'claim', claim_id, 'gw', gateway, 'held', 'g', 'ends', t.ends,
    'started', text(now), 'right', '0', 'progress', '0')
  redis.call('HDEL', key, 'retry_at', 'queued', 'waiting_deadline')
  if t.waiting_deadline and not t.deadline then redis.call('ZREM', root .. 'due', 'd:' .. id) end
  redis.call('ZADD', root .. 'slots:' .. server, now + lease, slot(id, t.fence))
  redis.call('ZADD', root .. 'due', now + lease, 'l:' .. id, ends + 1000, 'x:' .. id)
  attempt_started(id, t.fence, server)
  if number(t.failures) == 0 and number(t.losses) == 0 then budget_deposit() end
  refresh_server(server)
  announce(id, t)
  return grant_of(id, t)
end
