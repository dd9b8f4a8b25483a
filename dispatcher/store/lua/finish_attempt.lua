-- finish_attempt: record how an attempt ended: state, slot, statistics, event and the next grant in one step.
-- KEYS    root
-- ARGV    task_id by fence:n nonce holder verdict digest result code why slot_free rest_ms:n service_ms:n retry_delay_ms:n want_next want_task gateway lease_ms:n
-- OPTIONS declined_max gather_ms offer_ms losses_max first_right_ms eject_after eject_base_ms eject_max_ms rest_min_ms rest_max_ms avoid_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap declined_wait_ms retention_ms stats_ms updates_kept events_kept
-- EVENTS  complete fail retry_later requeue
-- RETURNS finished state duplicate task-or-empty [grant...] | handed_on state duplicate complete turn (server load)...
-- RETURNS not_found | stale | never_held | no_attempt | conflict | ended state
--- @include lost
--- @include declined
--- @include faults
--- @include grant
--- @include candidates
--- @include reporter
--- @include may
--- @include gang_end
--- @include left
local key = root .. 't:' .. task_id
local t = hash(key)
if not t then return reply('not_found') end
local known_rank = by ~= 'holder' and 0 or rank_of(task_id, t, holder)
local rank = known_rank or 0
local server = rank > 0 and holder or t.server

-- Whether this report repeats the last recorded end.
local function same_end()
  if t.gang and rank_ended(task_id, t, known_rank) then return true end
  local done_fence = string.match(t.done or '', '^(%d+):')
  if t.done ~= (done_fence or '') .. ':' .. verdict .. ':' .. digest then return false end
  if by == 'attempt' then return text(fence) == done_fence and nonce == t.done_nonce end
  if by == 'admin' then return t.fence == done_fence end
  local newer = t.fence ~= done_fence and speaks_of(task_id, t, rank)
  return t.done_server == holder and (fence == 0 or text(fence) == done_fence) and not newer
end

-- The answer of before: the grant only to who asked for it then, known by its nonce.
local function repeated()
  if (verdict == 'busy' or verdict == 'not_sent') and number(t.right) > now and t.right_of == gateway then
    local again = candidates(t.lane, t.done_server, task_id, t.needs)
    again[2] = t.turn or '0'
    return reply('handed_on', t.state, '1', unpack(again))
  end
  local next_id, next_fence = string.match(t.next or '', '^([^:]+):(%d+)$')
  local other = next_id and want_next ~= '' and hash(root .. 't:' .. next_id)
  if other and other.fence == next_fence and other.nonce == want_next and other.state == 'PROCESSING' then
    return reply('finished', t.state, '1', '', unpack(grant_of(next_id, other)))
  end
  return reply('finished', t.state, '1', '')
end

local EVENT = {completed = 'complete', failed = 'fail', failure = 'retry_later', timed_out = 'retry_later',
  lost = 'requeue', busy = 'requeue', not_sent = 'requeue', released = 'requeue', declined = 'requeue'}
local is_end = verdict == 'completed' or verdict == 'failed'
if same_end() then return repeated() end
local refusal = judge_reporter(task_id, t)
if refusal then
  -- the one trace that a refusal may leave: the worker is done with an attempt that ended without it
  if refusal == 'stale' and by == 'holder' and slot_free == '1' and free_left(holder, task_id, t, fence) then wake() end
  return reply(refusal)
end
fence = t.fence
local member = slot(task_id, fence, rank)
local signature = fence .. ':' .. verdict .. ':' .. digest
if t.gang and written_off(t) then -- saving one rank's work would not save the gang's
  if slot_free == '1' then free_slot(server, member) end
  return reply(t.state == 'FAILED' and 'conflict' or t.ended and 'ended' or 'stale', t.state)
end
if not may('fail', t.state) then
  if t.state == 'COMPLETED' or t.state == 'FAILED' then return reply('conflict') end
  if slot_free == '1' and free_slot(server, member) then wake() end -- this one, too
  return reply('ended', t.state)
end
-- written off before: nothing more to count
if not may(EVENT[verdict], t.state) or not (is_end or lives(t.state, t.halted)) then
  if slot_free == '1' and free_slot(server, member) then wake() end
  return reply('finished', t.state, '1', '')
end

local freed = false
if slot_free == '1' then freed = free_slot(server, member) else leave_slot(server, member) end
if t.gang then
  note_rank(task_id, t, rank)
  if verdict == 'completed' and not gang_done(task_id, t) then
    if rank == 0 then
      redis.call('HSET', root .. 'ranks:' .. task_id, 'out', result)
      redis.call('ZREM', root .. 'due', 'l:' .. task_id) -- its slot is free: there is no lease to run out
    end
    local overall = gang_progress(task_id, t, rank, 100)
    if overall > number(t.progress) then
      t.progress = string.format('%.14g', overall)
      redis.call('HSET', key, 'progress', t.progress)
    end
    announce(task_id, t)
    return reply('finished', t.state, '0', '')
  end
end
local AS = {completed = 'completed', failed = 'failed', failure = 'failed', timed_out = 'timeout', lost = 'lost',
  busy = 'busy', not_sent = 'not_sent', released = 'released', declined = 'declined'}
attempt_ended(task_id, AS[verdict], why)
redis.call('HSET', key, 'done', signature, 'done_nonce', t.nonce, 'done_server', server)
redis.call('HDEL', key, 'next')

local function blame()
  add_tried(task_id, t, server)
  server_fault(server, t.lane)
end

local function timed()
  for _, add in ipairs({{'timed', 1}, {'duration_ms', now - number(t.started)}}) do
    count(t, add[1], add[2])
    count_server(server, add[1], add[2])
  end
end

local handed_on = nil
if is_end then
  if verdict == 'completed' and rank > 0 then result = redis.call('HGET', root .. 'ranks:' .. task_id, 'out') end
  if verdict == 'completed' or result ~= '' then
    redis.call('SET', root .. 'out:' .. task_id, result)
  end
  timed()
  end_task(task_id, t, verdict == 'completed' and 'COMPLETED' or 'FAILED', code, why)
  server_success(server, service_ms)
elseif verdict == 'failure' or verdict == 'timed_out' then
  blame()
  count(t, 'attempt_failures', 1)
  count_server(server, 'attempt_failures', 1)
  if redis.call('HINCRBY', key, 'failures', 1) >= number(t.attempts_max) then
    if verdict == 'failure' then timed() end
    end_task(task_id, t, verdict == 'timed_out' and 'TIMEOUT' or 'FAILED', code, why)
  else
    retry_later(task_id, t, now + retry_delay_ms, code, why)
  end
elseif verdict == 'lost' then
  blame()
  lost(task_id, t, server, code, why)
elseif verdict == 'declined' then
  decline(task_id, t, server, why)
else
  local hand_on = verdict ~= 'released' and t.state ~= 'PAUSED'
  if verdict == 'busy' then server_busy(server, t.lane, rest_ms) end
  if verdict == 'not_sent' then blame() end
  requeue(task_id, t, hand_on and now + first_right_ms or 0)
  if hand_on then
    handed_on = candidates_with_turn(t.lane, server, task_id, t.needs)
    if #handed_on > 2 then
      redis.call('HSET', key, 'right_of', gateway, 'turn', handed_on[2])
    else
      redis.call('HSET', key, 'right', '0')
      handed_on = nil
    end
  end
end

if handed_on then return reply('handed_on', t.state, '0', unpack(handed_on)) end
if verdict == 'busy' or verdict == 'not_sent' then -- no room there, or not to be reached: nothing more for it now
  return reply('finished', t.state, '0', '')
end
local grant = freed and want_next ~= '' and grant_next(server, want_next, gateway, 'f:' .. signature, lease_ms)
if grant then
  redis.call('HSET', key, 'next', grant[1] .. ':' .. grant[3])
  if grant[1] == task_id then t.state = 'PROCESSING' end
elseif freed and want_next == '' then
  local place = refresh_server(server)
  if place and place.free and select_head(server, place.class) then wake() end
end
local task = ''
if want_task == '1' and t.state ~= 'PROCESSING' and redis.call('HEXISTS', key, 'ended') == 1 then
  task = {redis.call('HGETALL', key), redis.call('GET', root .. 'spec:' .. task_id) or '',
    redis.call('LRANGE', root .. 'att:' .. task_id, 0, -1)}
end
return reply('finished', t.state, '0', task, unpack(grant or {}))
