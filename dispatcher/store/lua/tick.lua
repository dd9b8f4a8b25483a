-- tick: handle ripe timers, oldest first: leases, time-outs, deadlines, retries, runAt, slots left behind, servers.
-- Retention takes what room the round has left.
-- KEYS    root
-- ARGV    gateway limit:n
-- OPTIONS losses_max lease_ms reap_gap_ms retry_wait_max_ms retry_delay_ms eject_after eject_base_ms eject_max_ms rest_min_ms rest_max_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap declined_wait_ms retention_ms stats_ms updates_kept events_kept
-- RETURNS ticked handled more probe...
--- @include unregister
--- @include faults
--- @include declined
--- @include alive
--- @include budget
--- @include remove
--- @include batch
local last = number(redis.call('GET', root .. 'last_tick'))
if last > 0 and now - last > reap_gap_ms then
  redis.call('SET', root .. 'no_reap_until', text(now + lease_ms))
end
redis.call('SET', root .. 'last_tick', text(now))
local no_reap_until = number(redis.call('GET', root .. 'no_reap_until'))
local due, probes = root .. 'due', {}

-- After an outage a lease gets a full length again, but only once: where ticks are rare by design, the second one
-- finds a lease that nobody has renewed since.
local function spared(server, member, timer)
  if no_reap_until <= now then return false end
  local slots, graced = root .. 'slots:' .. server, root .. 'graced'
  local ends = redis.call('ZSCORE', slots, member)
  if not ends or number(redis.call('HGET', graced, server .. ':' .. member)) == number(ends) then return false end
  redis.call('ZADD', slots, no_reap_until, member)
  redis.call('ZADD', due, no_reap_until, timer)
  redis.call('HSET', graced, server .. ':' .. member, text(no_reap_until))
  return true
end

local function lease_over(id)
  local t = hash(root .. 't:' .. id)
  if not t or not t.server then return end
  if spared(t.server, slot(id, t.fence), 'l:' .. id) then return end
  free_slot(t.server, slot(id, t.fence))
  if lives(t.state, t.halted) then
    attempt_ended(id, 'lost', 'The lease ran out')
    if t.shy then add_tried(id, t, t.server) end
    lost(id, t, t.server, 'BACKEND_LOST', 'The lease ran out')
  end
end

-- A further rank of a gang is lost: so is the attempt. Where its worker was never told of it, nobody is to blame.
local function rank_over(rest)
  local server, member = string.match(rest, '^([^:]+):(.+)$')
  local id, fence = task_of(member)
  if spared(server, member, 'k:' .. rest) then return end
  local untold = redis.call('HGET', root .. 's:' .. server, 'handed') == member
  if untold then redis.call('HDEL', root .. 's:' .. server, 'handed') end
  free_slot(server, member)
  local t = hash(root .. 't:' .. id)
  if not t or not lives(t.state, t.halted) or t.fence ~= fence then return end
  attempt_ended(id, untold and 'released' or 'lost', untold and 'A worker was gone' or 'The lease of a rank ran out')
  if untold then return requeue(id, t, 0) end
  if t.shy then add_tried(id, t, server) end
  lost(id, t, server, 'BACKEND_LOST', 'The lease of a rank ran out')
end

local function attempt_time_over(id)
  local t = hash(root .. 't:' .. id)
  if not t or t.state ~= 'PROCESSING' then return end
  local why = 'The attempt took longer than its time-out'
  leave_slot(t.server, slot(id, t.fence))
  attempt_ended(id, 'timeout', why)
  if not t.gang then -- of several workers nobody knows which was slow
    add_tried(id, t, t.server)
    server_fault(t.server, t.lane)
  end
  count(t, 'attempt_failures', 1)
  count_server(t.server, 'attempt_failures', 1)
  if redis.call('HINCRBY', root .. 't:' .. id, 'failures', 1) >= number(t.attempts_max) then
    end_task(id, t, 'TIMEOUT', 'TIMEOUT', why)
  else
    retry_later(id, t, now + retry_delay_ms, 'TIMEOUT', why)
  end
end

local function deadline_over(id)
  local t = hash(root .. 't:' .. id)
  if not t or t.ended then return end
  if lives(t.state, t.halted) then
    attempt_ended(id, 'timeout', 'The deadline passed')
    leave_slot(t.server, slot(id, t.fence))
  end
  end_task(id, t, 'TIMEOUT', 'DEADLINE', 'The deadline passed')
end

local function retry_due(id)
  local t = hash(root .. 't:' .. id)
  if not t or t.state ~= 'RETRYING' then return end
  if budget_take() then
    requeue(id, t, 0)
    wake_for(t.lane)
    return
  end
  redis.call('HSETNX', root .. 't:' .. id, 'starved', text(now))
  if not t.deadline and now - number(t.starved or now) >= retry_wait_max_ms then
    local code, why = t.code ~= '' and t.code or 'RETRIES_EXHAUSTED', t.why ~= '' and t.why or 'No retry budget'
    end_task(id, t, 'FAILED', code, why)
  else
    redis.call('ZADD', due, now + 1000, 'r:' .. id)
  end
end

local function run_due(id)
  local t = hash(root .. 't:' .. id)
  if not t or t.state ~= 'SCHEDULED' then return end
  set_state(id, t, 'PENDING')
  redis.call('HSET', root .. 't:' .. id, 'queued', text(now))
  enqueue(id, t)
  announce(id, t)
  wake_for(t.lane)
end

local function slot_over(rest)
  local server, member = string.match(rest, '^([^:]+):(.+)$')
  if not spared(server, member, 'o:' .. rest) then free_slot(server, member) end
end

local function silent(server)
  local s = redis.call('HMGET', root .. 's:' .. server, 'health_url', 'online', 'forget')
  if not s[1] then return end
  if s[1] == '' then
    local forget = number(s[3])
    if s[2] ~= '1' and forget > 0 then
      unregister(server)
      redis.call('DEL', root .. 'sum:s:' .. server)
    else
      offline(server)
      if forget > 0 then redis.call('ZADD', due, now + forget, 'hb:' .. server) end
    end
    return
  end
  redis.call('ZADD', due, now + 5000, 'hb:' .. server) -- should the asking gateway die
  probes[#probes + 1] = server
end

local function rest_over(server)
  local s = redis.call('HMGET', root .. 's:' .. server, 'ejected', 'health_url', 'class', 'rest', 'foreign_until')
  if not s[3] then return end
  local ejected = number(s[1])
  if ejected > 0 and ejected <= now then
    if s[2] ~= '' then
      redis.call('ZADD', due, now + 5000, 'f:' .. server)
      probes[#probes + 1] = server
    else
      redis.call('HSET', root .. 's:' .. server, 'ejected', '0', 'probation', '1', 'readmitted', text(now))
      register_change(server)
      wake()
    end
  end
  for _, later in ipairs({ejected, number(s[4]), number(s[5])}) do
    if later > now then redis.call('ZADD', due, 'LT', later, 'f:' .. server) end
  end
  refresh_server(server)
end

local more = false
local function batch_due(batch)
  if fill(batch, 64) > 0 then more = true end
end

local HANDLERS = {l = lease_over, k = rank_over, x = attempt_time_over, d = deadline_over, r = retry_due,
  s = run_due, n = others_due, o = slot_over, b = batch_due, hb = silent, f = rest_over}
local ripe = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)
for _, member in ipairs(ripe) do
  local kind, rest = string.match(member, '^(%a+):(.+)$')
  redis.call('ZREM', due, member)
  HANDLERS[kind](rest)
end
local handled = #ripe
if handled < limit then
  redis.call('ZREMRANGEBYSCORE', root .. 'vt', '-inf', '(' .. (redis.call('GET', root .. 'vclock') or '0'))
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'keep', '-inf', now, 'LIMIT', 0, limit - handled)) do
    local t = hash(root .. 't:' .. id)
    if t then remove_task(id, t) else redis.call('ZREM', root .. 'keep', id) end
    handled = handled + 1
  end
end
return reply('ticked', text(handled), (more or handled >= limit) and '1' or '0', unpack(probes))
