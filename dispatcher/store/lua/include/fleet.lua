-- The fleet's stream: what happens to tasks, servers and the balancer.
--- @include base
local function announce_fleet(kind, ...)
  redis.call('XADD', root .. 'ev', 'MAXLEN', '~', events_kept, '*', 'type', kind, ...)
end
