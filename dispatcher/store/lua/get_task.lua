-- get_task: one task with its spec, attempts and (when asked) result.
-- KEYS    root
-- ARGV    task_id with_result with_payload
-- RETURNS task fields spec attempts result payload | not_found
--- @include base
local flat = redis.call('HGETALL', root .. 't:' .. task_id)
if #flat == 0 then return reply('not_found') end
local payload = with_payload == '1' and redis.call('GET', root .. 'in:' .. task_id)
local result = with_result == '1' and redis.call('GET', root .. 'out:' .. task_id)
return reply('task', flat, redis.call('GET', root .. 'spec:' .. task_id) or '',
  redis.call('LRANGE', root .. 'att:' .. task_id, 0, -1), result or '', payload or '')
