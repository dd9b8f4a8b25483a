-- Operations: op:<id>, the newest in ops, the running ones in oplive by the end of their lease.
--- @include fleet
local STEP_RANKS = {waiting = 0, running = 1, done = 2, failed = 2}

local function operation_fields(id)
  local flat = redis.call('HGETALL', root .. 'op:' .. id)
  if #flat == 0 then return nil end
  return {id, unpack(flat)}
end

local function end_operation(id, state, why)
  local key = root .. 'op:' .. id
  local o = redis.call('HMGET', key, 'guard', 'kind')
  redis.call('HSET', key, 'state', state, 'ended', text(now), 'error', why)
  redis.call('HDEL', key, 'gw')
  redis.call('PEXPIRE', key, retention_ms)
  redis.call('ZREM', root .. 'oplive', id)
  if o[1] ~= '' and redis.call('HGET', root .. 'opguard', o[1]) == id then redis.call('HDEL', root .. 'opguard', o[1]) end
  announce_fleet('operation', 'id', id, 'kind', o[2], 'state', state)
end
