-- Start an attempt of a queued task on a server with a free slot: fence, slot, lease, time-out. Returns the grant.
--- @include state
--- @include queue
--- @include slots
--- @include attempts
--- @include budget
--- @include reserve
--- @include models
local FOREVER = 9999999999999 -- of an attempt without a time-out
local GRACE = 1000 -- an answer that came in time is still on its way into the store

local function grant_of(id, t, rank, server)
  local checkpoint = number(rank) > 0 and redis.call('HGET', root .. 'ranks:' .. id, 'c' .. text(rank))
  return {id, server or t.server, t.fence, t.nonce, t.type, t.lane, t.points, redis.call('GET', root .. 'spec:' .. id) or '',
    redis.call('GET', root .. 'in:' .. id) or '', t.ends, t.failures or '0', t.losses or '0', t.tried or '',
    checkpoint or t.checkpoint or '', text(rank or 0), t.gang or '1', t.demand or '', t.needs or ''}
end

local function start_attempt(id, t, server, nonce, gateway, claim_id, lease, note)
  local key = root .. 't:' .. id
  dequeue(id, t)
  charge(t)
  t.fence = text(redis.call('HINCRBY', key, 'fence', 1))
  t.server, t.nonce = server, nonce
  local ends = number(t.timeout) > 0 and now + number(t.timeout) or FOREVER
  if t.deadline then ends = math.min(ends, number(t.deadline)) end
  t.ends = text(ends)
  if t.by_server then
    index_drop(id, t)
    t.facets = server
    redis.call('HSET', key, 'facets', server)
  end
  set_state(id, t, 'PROCESSING')
  redis.call('HSET', key, 'server', server, 'nonce', nonce, 'claim', claim_id, 'gw', gateway, 'held', 'g', 'ends', t.ends,
    'started', text(now), 'right', '0', 'note', plain(note or ''), 'waited', t.waiting_deadline or '0')
  redis.call('HDEL', key, 'retry_at', 'waiting_deadline')
  if t.waiting_deadline and not t.deadline then redis.call('ZREM', root .. 'due', 'd:' .. id) end
  redis.call('ZADD', root .. 'slots:' .. server, now + lease, slot(id, t.fence))
  hold(server, slot(id, t.fence), t.needs)
  load_begins(server, slot(id, t.fence), t.loads)
  if t.needs or t.loads then forget_wait(id) end
  redis.call('ZADD', root .. 'due', now + lease, 'l:' .. id)
  if ends < FOREVER then redis.call('ZADD', root .. 'due', ends + GRACE, 'x:' .. id) end
  attempt_started(id, t.fence, server, note or '')
  if not t.begun then
    redis.call('HSET', key, 'begun', '1')
    budget_deposit()
  end
  use_model(server, t.model)
  refresh_server(server)
  announce(id, t)
  return grant_of(id, t)
end
