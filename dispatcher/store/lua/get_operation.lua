-- get_operation: one operation, by its id or by the guard that it holds.
-- KEYS    root
-- ARGV    operation_id guard
-- RETURNS operation fields | not_found
--- @include base
local id = guard ~= '' and redis.call('HGET', root .. 'opguard', guard) or operation_id
local flat = redis.call('HGETALL', root .. 'op:' .. id)
if #flat == 0 then return reply('not_found') end
return reply('operation', {id, unpack(flat)})
