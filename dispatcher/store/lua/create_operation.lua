-- create_operation: keep an operation and begin it, once per id; a dry run is only kept.
-- KEYS    root
-- ARGV    operation_id kind actor guard sequence dry_run for_ms:n steps count:n note
-- OPTIONS retention_ms events_kept
-- RETURNS operation fields | busy id | too_many
--- @include operation
local LIVE_MOST, LISTED_MOST = 256, 512
local known = operation_fields(operation_id)
if known then return reply('operation', known) end
local running = dry_run ~= '1'
if running then
  local holder = guard ~= '' and redis.call('HGET', root .. 'opguard', guard)
  if holder then return reply('busy', holder) end
  if redis.call('ZCARD', root .. 'oplive') >= LIVE_MOST then return reply('too_many') end
end
local key = root .. 'op:' .. operation_id
redis.call('HSET', key, 'kind', kind, 'actor', actor, 'guard', guard, 'sequence', sequence, 'state',
  running and 'running' or 'planned', 'deadline', text(now + for_ms), 'steps', steps, 'n', text(count), 'started', text(now),
  'note', note)
redis.call('ZADD', root .. 'ops', redis.call('HINCRBY', root .. 'reg', 'operations', 1), operation_id)
redis.call('ZREMRANGEBYRANK', root .. 'ops', 0, -LISTED_MOST - 1)
if running then
  redis.call('ZADD', root .. 'oplive', 0, operation_id)
  if guard ~= '' then redis.call('HSET', root .. 'opguard', guard, operation_id) end
  announce_fleet('operation', 'id', operation_id, 'kind', kind, 'state', 'running')
  if count == 0 then end_operation(operation_id, 'done', '') end
else
  redis.call('HSET', key, 'ended', text(now))
  redis.call('PEXPIRE', key, retention_ms)
end
return reply('operation', operation_fields(operation_id))
