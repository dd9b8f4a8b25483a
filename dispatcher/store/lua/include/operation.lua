-- Operations: op:<id>, the newest in ops, the running ones in oplive by the end of their lease.
--- @include fleet
--- @include placement
local STEP_RANKS = {waiting = 0, running = 1, done = 2, failed = 2}

local function operation_fields(id)
  local flat = redis.call('HGETALL', root .. 'op:' .. id)
  if #flat == 0 then return nil end
  return {id, unpack(flat)}
end

-- Loads that nobody drives any more: one left queued or loading would hold up all others of its worker.
local function give_up_loads(id, steps, why)
  for _, step in ipairs(steps) do
    local verb, server, model = step[1], step[2], cjson.decode(step[3]).model
    local p = verb == 'model.load' and model and placement_of(server, model)
    if p and p.assignment == id and (p.status == 'queued' or p.status == 'loading') then
      if p.before then
        p.before, p.why = 'failed', why -- a task goes on loading it
      else
        end_load(server, model, p, why)
      end
      keep_placement(server, model, p)
      announce_fleet('model', 'id', server, 'model', model, 'state', 'failed')
    end
  end
end

local function end_operation(id, state, why)
  local key = root .. 'op:' .. id
  local o = redis.call('HMGET', key, 'guard', 'kind', 'steps')
  if state == 'failed' then give_up_loads(id, cjson.decode(o[3]), why) end
  redis.call('HSET', key, 'state', state, 'ended', text(now), 'error', why)
  redis.call('HDEL', key, 'gw')
  redis.call('PEXPIRE', key, retention_ms)
  redis.call('ZREM', root .. 'oplive', id)
  if o[1] ~= '' and redis.call('HGET', root .. 'opguard', o[1]) == id then redis.call('HDEL', root .. 'opguard', o[1]) end
  announce_fleet('operation', 'id', id, 'kind', o[2], 'state', state)
end
