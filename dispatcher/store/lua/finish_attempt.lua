-- finish_attempt: record how an attempt ended: state, slot, statistics, event and the next grant in one step.
-- KEYS    root
-- ARGV    task_id by fence:n nonce holder verdict digest result code why slot_free rest_ms:n service_ms:n retry_delay_ms:n want_next want_task gateway lease_ms:n
-- OPTIONS losses_max first_right_ms eject_after eject_base_ms eject_max_ms rest_min_ms rest_max_ms avoid_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap retention_ms stats_ms updates_kept events_kept
-- EVENTS  complete fail retry_later requeue
-- RETURNS finished state duplicate task-or-empty [grant...] | handed_on state duplicate complete turn (server load)...
-- RETURNS not_found | stale | never_held | no_attempt | conflict | ended state
--- @include lost
--- @include faults
--- @include grant
--- @include candidates
--- @include reporter
--- @include may
local key = root .. 't:' .. task_id
local t = hash(key)
if not t then return reply('not_found') end

-- Whether this report repeats the last recorded end.
local function same_end()
  local done_fence = string.match(t.done or '', '^(%d+):')
  if t.done ~= (done_fence or '') .. ':' .. verdict .. ':' .. digest then return false end
  if by == 'attempt' then return text(fence) == done_fence and nonce == t.done_nonce end
  if by == 'admin' then return t.fence == done_fence end
  local newer = t.server == holder and t.fence ~= done_fence
    and redis.call('ZSCORE', root .. 'slots:' .. holder, slot(task_id, t.fence))
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
  lost = 'requeue', busy = 'requeue', not_sent = 'requeue', released = 'requeue'}
local is_end = verdict == 'completed' or verdict == 'failed'
if same_end() then return repeated() end
local refusal = judge_reporter(task_id, t)
if refusal then return reply(refusal) end
fence = t.fence
local member = slot(task_id, fence)
local signature = fence .. ':' .. verdict .. ':' .. digest
if not may('fail', t.state) then
  if t.state == 'COMPLETED' or t.state == 'FAILED' then return reply('conflict') end
  -- the one trace that a refusal may leave: the server is done with a task that ended without it
  if slot_free == '1' and free_slot(t.server, member) then wake() end
  return reply('ended', t.state)
end
if not may(EVENT[verdict], t.state) then -- written off before: nothing more to count
  if slot_free == '1' and free_slot(t.server, member) then wake() end
  return reply('finished', t.state, '1', '')
end

local freed = false
if slot_free == '1' then freed = free_slot(t.server, member) else leave_slot(t.server, member) end
local AS = {completed = 'completed', failed = 'failed', failure = 'failed', timed_out = 'timeout', lost = 'lost',
  busy = 'busy', not_sent = 'not_sent', released = 'released'}
attempt_ended(task_id, AS[verdict], why)
redis.call('HSET', key, 'done', signature, 'done_nonce', t.nonce, 'done_server', t.server)
redis.call('HDEL', key, 'next')

local function blame()
  add_tried(task_id, t, t.server)
  server_fault(t.server, t.lane)
end

local function timed()
  for _, add in ipairs({{'timed', 1}, {'duration_ms', now - number(t.started)}}) do
    count(t, add[1], add[2])
    count_server(t.server, add[1], add[2])
  end
end

local handed_on = nil
if is_end then
  if verdict == 'completed' or result ~= '' then redis.call('SET', root .. 'out:' .. task_id, result) end
  timed()
  end_task(task_id, t, verdict == 'completed' and 'COMPLETED' or 'FAILED', code, why)
  server_success(t.server, service_ms)
elseif verdict == 'failure' or verdict == 'timed_out' then
  blame()
  count(t, 'attempt_failures', 1)
  count_server(t.server, 'attempt_failures', 1)
  if redis.call('HINCRBY', key, 'failures', 1) >= number(t.attempts_max) then
    if verdict == 'failure' then timed() end
    end_task(task_id, t, verdict == 'timed_out' and 'TIMEOUT' or 'FAILED', code, why)
  else
    retry_later(task_id, t, now + retry_delay_ms, code, why)
  end
elseif verdict == 'lost' then
  blame()
  lost(task_id, t, code, why)
else
  local hand_on = verdict ~= 'released'
  if verdict == 'busy' then server_busy(t.server, t.lane, rest_ms) end
  if verdict == 'not_sent' then blame() end
  requeue(task_id, t, hand_on and now + first_right_ms or 0)
  if hand_on then
    handed_on = candidates_with_turn(t.lane, t.server, task_id, t.needs)
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
local grant = freed and want_next ~= '' and grant_next(t.server, want_next, gateway, 'f:' .. signature, lease_ms)
if grant then
  redis.call('HSET', key, 'next', grant[1] .. ':' .. grant[3])
  if grant[1] == task_id then t.state = 'PROCESSING' end
elseif freed and want_next == '' then
  local place = refresh_server(t.server)
  if place and place.free and select_head(t.server, place.class) then wake() end
end
local task = ''
if want_task == '1' and t.state ~= 'PROCESSING' and redis.call('HEXISTS', key, 'ended') == 1 then
  task = {redis.call('HGETALL', key), redis.call('GET', root .. 'spec:' .. task_id) or '',
    redis.call('LRANGE', root .. 'att:' .. task_id, 0, -1)}
end
return reply('finished', t.state, '0', task, unpack(grant or {}))
