-- create_task: persist and enqueue a task, or refuse without a trace (but for the rate count).
-- KEYS    root
-- ARGV    task_id origin tenant sub type lane demand points boost_ms:n spec payload timeout_ms attempts_max run_at:n deadline:n waiting_ms:n weight shy gang once facets by_server needs model loads rule rate_key rate_limit:n idem_key idem_digest idem_ttl_ms gateway waiter
-- OPTIONS first_right_ms queue_max queue_bytes_max tenant_max tenant_bytes_max tenant_lanes_max stats_ms retention_ms waiters_max updates_kept events_kept
-- RETURNS created id state created_ms rate_count rate_reset [complete turn (server load)...] | replayed id state created_ms rate_count rate_reset
-- RETURNS limited count reset | key_reused count reset | quota count reset | full count reset | deadline_past count reset | lane_unknown
--- @include insert
--- @include candidates
--- @include rate
--- @include waiters
--- @include quota
local key = root .. 't:' .. task_id
if redis.call('HEXISTS', root .. 'lanes', lane) == 0 then return reply('lane_unknown') end

local known = hash(key)
if known then -- our own reply was lost
  if known.state == 'PENDING' and number(known.right) > now then
    local free = candidates(lane, nil, task_id, known.needs)
    free[2] = known.turn or '0'
    if #free > 2 then return reply('created', task_id, known.state, known.created, '0', '0', unpack(free)) end
  end
  return reply('created', task_id, known.state, known.created, '0', '0')
end

local rate_count, rate_reset = rate_hit(rule, rate_key, rate_limit)
if rate_limit > 0 and rate_count > rate_limit then return reply('limited', text(rate_count), text(rate_reset)) end

local idem = root .. 'idem:' .. origin .. ':' .. tenant .. ':' .. sub .. ':' .. idem_key
if idem_key ~= '' then
  local first = redis.call('HMGET', idem, 'id', 'digest')
  if first[1] then
    if first[2] ~= idem_digest then return reply('key_reused', text(rate_count), text(rate_reset)) end
    local t = redis.call('HMGET', root .. 't:' .. first[1], 'state', 'created', 'ended')
    if t[1] and not t[3] and waiter == '1' then add_waiter(first[1], gateway) end
    if t[1] then return reply('replayed', first[1], t[1], t[2], text(rate_count), text(rate_reset)) end
  end
end

local over = over_quota(tenant, lane, 1, #payload)
if over then return reply(over, text(rate_count), text(rate_reset)) end
if deadline > 0 and deadline <= now then return reply('deadline_past', text(rate_count), text(rate_reset)) end

local later = run_at > now
local state = later and 'SCHEDULED' or 'PENDING'
local t = {origin = origin, tenant = tenant, sub = sub, type = type, lane = lane, points = points, state = state,
  created = text(now), updated = text(now), score = text(math.max(now_us, run_at * 1000) - boost_ms * 1000), timeout = timeout_ms,
  attempts_max = attempts_max, boost = text(boost_ms), bytes = text(#payload), weight = weight, facets = facets ~= '' and facets or nil,
  by_server = by_server == '1' and '1' or nil,
  shy = shy == '1' and '1' or nil, gang = gang ~= '1' and gang or nil, once = once == '1' and '1' or nil,
  needs = needs ~= '' and needs or nil, model = model ~= '' and model or nil,
  loads = loads ~= '' and loads or nil,
  demand = demand ~= '' and demand or nil} -- its demand: for a retry after its lane was dropped
insert_task(task_id, t, spec, payload)
if waiter == '1' then add_waiter(task_id, gateway) end
if idem_key ~= '' then
  redis.call('HSET', idem, 'id', task_id, 'digest', idem_digest)
  redis.call('PEXPIRE', idem, idem_ttl_ms)
  redis.call('HSET', key, 'idem', idem_key)
end
if later then
  redis.call('HSET', key, 'run_at', text(run_at))
  redis.call('ZADD', root .. 'due', run_at, 's:' .. task_id)
end
if deadline > 0 then
  redis.call('HSET', key, 'deadline', text(deadline))
  redis.call('ZADD', root .. 'due', deadline, 'd:' .. task_id)
elseif waiting_ms > 0 then
  start_until(task_id, math.max(run_at, now) + waiting_ms)
end
count_live(t, 1)
local free = {}
if not later then
  redis.call('HSET', key, 'queued', t.created)
  enqueue(task_id, t)
  free = candidates_with_turn(lane, nil, task_id, t.needs)
  if #free > 2 then
    redis.call('HSET', key, 'right', text(now + first_right_ms), 'right_of', gateway, 'turn', free[2])
  else
    free = {}
  end
end
announce(task_id, t)
return reply('created', task_id, state, t.created, text(rate_count), text(rate_reset), unpack(free))
