-- fail_operation: end a running operation before its time.
-- KEYS    root
-- ARGV    operation_id why
-- OPTIONS retention_ms events_kept
-- RETURNS operation fields | not_found
--- @include operation
local state = redis.call('HGET', root .. 'op:' .. operation_id, 'state')
if not state then return reply('not_found') end
if state == 'running' then end_operation(operation_id, 'failed', why) end
return reply('operation', operation_fields(operation_id))
