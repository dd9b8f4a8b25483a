-- claim_attempt: start an attempt on a server with a free slot, or refuse without a trace.
-- KEYS    root
-- ARGV    task_id server claim_id nonce gateway lease_ms:n expected instead last
-- OPTIONS declined_max gather_ms offer_ms behind_ms avoid_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap updates_kept events_kept
-- EVENTS  claim
-- RETURNS granted grant... | behind grant... | full complete turn (server load)... | moved complete turn (server load)... | gone state
--- @include grant
--- @include candidates
--- @include may
local key = root .. 't:' .. task_id
local t = hash(key)
local earlier = redis.call('HMGET', root .. 'claim:' .. claim_id, 'task', 'fence')
if earlier[1] then -- answered `behind` before; the reply was lost
  local other = hash(root .. 't:' .. earlier[1])
  if other and other.fence == earlier[2] then return reply('behind', unpack(grant_of(earlier[1], other))) end
end
if t and t.claim == claim_id and t.state == 'PROCESSING' then return reply('granted', unpack(grant_of(task_id, t))) end
if not t or not may('claim', t.state) then return reply('gone', t and t.state or '') end
if number(t.right) > now and t.right_of and t.right_of ~= gateway then return reply('gone', t.state) end

if t.gang then return reply('full', '1', '0') end -- only workers that wait on a connection start together

local place = redis.call('HMGET', root .. 's:' .. server, 'class', 'weight')
local load = place[1] and redis.call('ZSCORE', root .. 'free:' .. place[1], server)
if has_declined(t.declined, server) then load = nil end
if not load or redis.call('SISMEMBER', root .. 'lc:' .. t.lane, place[1]) == 0 or not has_room(server, task_id, t.needs) then
  local others = candidates(t.lane, nil, task_id, t.needs)
  if (last == '1' or #others == 2) and number(t.right) > now then -- the caller has nowhere else to go
    redis.call('HSET', key, 'right', '0')
  end
  return reply('full', unpack(others))
end

-- Whether a caller that compares loads went by old ones: this server's is another now, or one is less loaded.
local function has_moved()
  local least, weight = number(load), math.max(number(place[2]), 1)
  local told = t.needs and candidates(t.lane, nil, task_id, t.needs) or {}
  for i = 4, #told, 2 do least = math.min(least, number(told[i])) end
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. t.lane)) do
    local first = redis.call('ZRANGE', root .. 'free:' .. class, 0, 0, 'WITHSCORES')
    if first[2] and not t.needs then least = math.min(least, number(first[2])) end
  end
  if has_model(server, t.model) then least = number(load) end -- preferred whatever the others' loads are
  return math.max(math.abs(number(load) - number(expected)), number(load) - least) * weight > 1.000001
end

-- The least loaded free server of those that the caller named, the first of equals; or nil.
local function least_loaded()
  local best, best_place, best_load
  for id in string.gmatch(instead, '[^,]+') do
    local its = redis.call('HMGET', root .. 's:' .. id, 'class', 'weight')
    local its_load = not has_declined(t.declined, id) and its[1] and redis.call('SISMEMBER', root .. 'lc:' .. t.lane, its[1]) == 1
      and redis.call('ZSCORE', root .. 'free:' .. its[1], id)
    if its_load and (not best or number(its_load) < best_load) and has_room(id, task_id, t.needs) then
      best, best_place, best_load = id, its, number(its_load)
    end
  end
  return best, best_place
end

if expected ~= '' and has_moved() then
  local other, its_place = least_loaded()
  if other then server, place = other, its_place end
  if not other then
    if last == '1' and number(t.right) > now then redis.call('HSET', key, 'right', '0') end
    return reply('moved', unpack(candidates(t.lane, nil, task_id, t.needs)))
  end
end

local function own_place()
  local bound = number(redis.call('ZSCORE', root .. 'ready:' .. place[1], t.tenant))
  return math.max(bound, number(redis.call('ZSCORE', root .. 'vt', t.tenant)))
end

local function precedes(head)
  if head.id == task_id then return false end
  if head.tenant == t.tenant then
    if head.score ~= number(t.score) then return head.score < number(t.score) end
    return head.lane < t.lane or (head.lane == t.lane and head.id < task_id)
  end
  local own = own_place()
  return head.vt < own or (head.vt == own and head.tenant < t.tenant)
end

local head = select_head(server, place[1])
if head and precedes(head) and now - number(redis.call('HGET', root .. 't:' .. head.id, 'queued')) > behind_ms then
  local other = hash(root .. 't:' .. head.id)
  local grant = start_attempt(head.id, other, server, nonce, gateway, claim_id, lease_ms)
  redis.call('HSET', root .. 'claim:' .. claim_id, 'task', head.id, 'fence', other.fence)
  redis.call('PEXPIRE', root .. 'claim:' .. claim_id, 60000)
  redis.call('HSET', key, 'right', '0')
  return reply('behind', unpack(grant))
end
return reply('granted', unpack(start_attempt(task_id, t, server, nonce, gateway, claim_id, lease_ms)))
