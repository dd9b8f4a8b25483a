-- Attempts that a server accepted with 202: their leases live by its heartbeats.
--- @include lost
--- @include slots
--- @include attempts
--- @include lives
local function task_of(member)
  return string.match(member, '^([^:]+):(%d+):')
end

local function renew_accepted(server, lease)
  local members = redis.call('HKEYS', root .. 'acc:' .. server)
  for _, member in ipairs(members) do
    redis.call('ZADD', root .. 'slots:' .. server, 'GT', lease, member)
    redis.call('ZADD', root .. 'due', 'GT', lease, lease_timer(server, member))
  end
end

local function lose_attempt(server, member, why)
  local id, fence = task_of(member)
  local t = hash(root .. 't:' .. id)
  free_slot(server, member)
  if t and lives(t.state, t.halted) and t.fence == fence then
    attempt_ended(id, 'lost', why)
    lost(id, t, server, 'BACKEND_LOST', why)
  end
end

local function lose_accepted(server, why)
  for _, member in ipairs(redis.call('HKEYS', root .. 'acc:' .. server)) do lose_attempt(server, member, why) end
end
