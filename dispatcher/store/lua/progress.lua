-- progress: record how far the current attempt is; never back. A sign of life of an accepted attempt.
-- KEYS    root
-- ARGV    task_id by fence:n nonce holder percent:n lease_ms:n metrics checkpoint report_id
-- OPTIONS offline_after_ms stats_ms attempts_kept metrics_kept metrics_bytes_kept updates_kept events_kept
-- RETURNS noted | not_found | stale | never_held | no_attempt | ended state
--- @include state
--- @include slots
--- @include heard
--- @include reporter
--- @include lives
--- @include ranks
local key = root .. 't:' .. task_id
local t = hash(key)
if not t then return reply('not_found') end
local refusal = judge_reporter(task_id, t)
if refusal then return reply(refusal) end
if t.ended then return reply('ended', t.state) end
if not lives(t.state, t.halted) then return reply('stale') end
local rank = by == 'holder' and rank_of(task_id, t, holder) or 0
if t.held == 's' then
  local server, member = rank > 0 and holder or t.server, slot(task_id, t.fence, rank)
  redis.call('ZADD', root .. 'slots:' .. server, 'XX', now + lease_ms, member) -- a rank that has ended has none
  redis.call('ZADD', root .. 'due', 'XX', now + lease_ms, lease_timer(server, member))
end
if by == 'holder' and redis.call('HGET', root .. 's:' .. holder, 'transport') ~= 'push' then heard_of(holder) end
local overall = t.gang and gang_progress(task_id, t, rank, percent) or percent
local reached, higher = string.format('%.14g', overall), overall > number(t.progress)
local measured = metrics ~= '' and t.measured_by ~= report_id -- not when our own reply was lost
if checkpoint ~= '' and rank == 0 then redis.call('HSET', key, 'checkpoint', checkpoint) end
if checkpoint ~= '' and rank > 0 then redis.call('HSET', root .. 'ranks:' .. task_id, 'c' .. rank, checkpoint) end
if measured then
  redis.call('HSET', key, 'measured_by', report_id)
  if rank == 0 then redis.call('HSET', key, 'metrics', metrics) end
  local point = {text(now), text(rank), string.format('%.14g', percent), metrics}
  local points, entry = root .. 'mt:' .. task_id, table.concat(point, '\t')
  local size = redis.call('HINCRBY', key, 'measured_bytes', #entry)
  local kept = redis.call('RPUSH', points, entry)
  while kept > metrics_kept or (size > metrics_bytes_kept and kept > 1) do
    size = redis.call('HINCRBY', key, 'measured_bytes', -#redis.call('LPOP', points))
    kept = kept - 1
  end
end
if higher then
  t.progress = reached
  redis.call('HSET', key, 'progress', t.progress)
end
if higher or measured then announce(task_id, t) end
return reply('noted')
