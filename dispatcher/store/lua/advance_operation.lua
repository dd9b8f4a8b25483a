-- advance_operation: move a step on, and end the operation with the last one.
-- KEYS    root
-- ARGV    operation_id place:n state why
-- OPTIONS retention_ms events_kept
-- RETURNS operation fields | not_found
--- @include operation
local key = root .. 'op:' .. operation_id
local o = redis.call('HMGET', key, 'state', 'n', 'st:' .. place)
if not o[1] then return reply('not_found') end
local n = number(o[2])
if o[1] ~= 'running' or place < 0 or place >= n or STEP_RANKS[state] <= STEP_RANKS[o[3] or 'waiting'] then
  return reply('operation', operation_fields(operation_id))
end
redis.call('HSET', key, 'st:' .. place, state, 'er:' .. place, why)
local ended, failure = 0, nil
for at = 0, n - 1 do
  local step = redis.call('HMGET', key, 'st:' .. at, 'er:' .. at)
  if STEP_RANKS[step[1] or 'waiting'] == 2 then ended = ended + 1 end
  if step[1] == 'failed' then failure = failure or step[2] end
end
if ended == n then end_operation(operation_id, failure and 'failed' or 'done', failure or '') end
return reply('operation', operation_fields(operation_id))
