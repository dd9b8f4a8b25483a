-- Room for a task with needs, and the server kept for one that has waited long for it. A reservation is two words that
-- must agree, s:<server> reserved and t:<task> reserves; it is never taken back, only found to be void.
--- @include loads
local RESERVE_AFTER = 30000 -- since the task was first passed by for want of room

-- The task that a server is kept for, while it waits and the server could run it; or nil.
local function reserved_for(server)
  local s = redis.call('HMGET', root .. 's:' .. server, 'reserved', 'class', 'ejected')
  if not s[1] or number(s[3]) > 0 or redis.call('SISMEMBER', root .. 'cm:' .. s[2], server) == 0 then return nil end
  local t = redis.call('HMGET', root .. 't:' .. s[1], 'state', 'reserves', 'lane', 'needs', 'loads')
  if t[1] ~= 'PENDING' or t[2] ~= server then return nil end
  if redis.call('SISMEMBER', root .. 'lc:' .. t[3], s[2]) == 0 then return nil end
  return could_hold(server, t[4], t[5], to_load(server, t[5]), room_at_best(server)) and s[1] or nil
end

-- Whether a server could start a task with these needs now, and the model that it loads: enough of everything, and not
-- kept for another task.
local function has_room(server, id, needs, model)
  local p = to_load(server, model)
  if not p and (not needs or needs == '') then return true end
  if not could_hold(server, needs, model, p, room_of(server)) then return false end
  local kept_for = reserved_for(server)
  return not kept_for or kept_for == id
end

local function passed_by(id)
  redis.call('HSETNX', root .. 't:' .. id, 'short', text(now))
end

-- A head found no room here. The first that has waited too long for it keeps the server, one server a task.
local function reserve(server, id)
  passed_by(id)
  local key = root .. 't:' .. id
  local t = redis.call('HMGET', key, 'short', 'reserves')
  if now - number(t[1]) <= RESERVE_AFTER or reserved_for(server) then return end
  if t[2] and reserved_for(t[2]) == id then return end
  redis.call('HSET', key, 'reserves', server)
  redis.call('HSET', root .. 's:' .. server, 'reserved', id)
end

local function forget_wait(id)
  redis.call('HDEL', root .. 't:' .. id, 'short', 'reserves')
end
