-- Tell of a task's change: its own list of updates (entry id = revision) and the fleet's stream.
--- @include fleet
--- @include lives
local function announce(id, t)
  t.rev = redis.call('HINCRBY', root .. 't:' .. id, 'rev', 1)
  t.updated = text(now)
  redis.call('HSET', root .. 't:' .. id, 'updated', t.updated)
  redis.call('XADD', root .. 'ev:' .. id, 'MAXLEN', updates_kept, text(t.rev) .. '-0', 'state', t.state, 'progress',
    t.progress or '0', 'server', t.server or '', 'fence', t.fence or '0', 'at', t.updated, 'lives', lives(t.state, t.halted) and '1' or '0')
  announce_fleet('task', 'id', id, 'state', t.state, 'rev', text(t.rev), 'origin', t.origin, 'tenant', t.tenant,
    'sub', t.sub)
end
