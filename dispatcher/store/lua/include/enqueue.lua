-- A command for a worker, kept until it acknowledges it.
--- @include command
--- @include fleet
-- Its record; nil when too many wait there.
local function enqueue_command(id, server, verb, args, deadline)
  local WAITING_MOST, KEPT_MS = 64, 86400000
  local waiting, over = root .. 'cmds:' .. server, {}
  local ids = redis.call('ZRANGE', waiting, 0, -1)
  for _, other in ipairs(ids) do
    if number(redis.call('HGET', root .. 'cmd:' .. other, 'deadline')) <= now then over[#over + 1] = other end
  end
  if #ids - #over >= WAITING_MOST then return nil end
  if #over > 0 then redis.call('ZREM', waiting, unpack(over)) end
  local c = {server = server, verb = verb, args = args, state = 'queued', queued = text(now), deadline = text(deadline)}
  local key = root .. 'cmd:' .. id
  redis.call('HSET', key, 'server', server, 'verb', verb, 'args', args, 'state', 'queued', 'queued', c.queued,
    'deadline', c.deadline)
  redis.call('PEXPIRE', key, deadline - now + KEPT_MS)
  redis.call('ZADD', waiting, redis.call('HINCRBY', root .. 'reg', 'commands', 1), id)
  announce_fleet('command', 'id', server)
  return c
end
