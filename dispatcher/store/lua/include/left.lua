-- The slots that a worker still has of attempts which are over: they wait for its word, or for their leases' end.
--- @include slots
--- @include lives
-- Of a task that may be gone (t is nil then); of one attempt, or of all when `fence` is 0. True when one was freed.
local function free_left(server, id, t, fence)
  local freed = false
  for _, member in ipairs(redis.call('ZRANGE', root .. 'slots:' .. server, 0, -1)) do
    local of, its = string.match(member, '^([^:]+):(%d+):')
    local over = not (t and its == t.fence and lives(t.state, t.halted))
    if of == id and over and (fence == 0 or fence == number(its)) then freed = free_slot(server, member) or freed end
  end
  return freed
end
