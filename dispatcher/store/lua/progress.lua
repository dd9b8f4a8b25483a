-- progress: record how far the current attempt is; never back. A sign of life of an accepted attempt.
-- KEYS    root
-- ARGV    task_id by fence:n nonce holder percent:n lease_ms:n
-- OPTIONS offline_after_ms stats_ms attempts_kept updates_kept events_kept
-- RETURNS noted | not_found | stale | never_held | no_attempt | ended state
--- @include state
--- @include slots
--- @include heard
--- @include reporter
local key = root .. 't:' .. task_id
local t = hash(key)
if not t then return reply('not_found') end
local refusal = judge_reporter(task_id, t)
if refusal then return reply(refusal) end
if t.state == 'PENDING' or t.state == 'RETRYING' then return reply('stale') end
if t.state ~= 'PROCESSING' then return reply('ended', t.state) end
if t.held == 's' then
  redis.call('ZADD', root .. 'slots:' .. t.server, now + lease_ms, slot(task_id, t.fence))
  redis.call('ZADD', root .. 'due', now + lease_ms, 'l:' .. task_id)
end
if by == 'holder' and redis.call('HGET', root .. 's:' .. holder, 'transport') ~= 'push' then heard_of(holder) end
if percent > number(t.progress) then
  t.progress = string.format('%.14g', percent)
  redis.call('HSET', key, 'progress', t.progress)
  announce(task_id, t)
end
return reply('noted')
