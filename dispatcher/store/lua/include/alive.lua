-- A sign of life: online, one uptime minute (a bit per minute of the UTC day).
--- @include server
--- @include fleet
local function sign_of_life(server, next_check)
  local up = root .. 'up:' .. server .. ':' .. text(math.floor(now / 86400000))
  redis.call('SETBIT', up, math.floor(now / 60000) % 1440, 1)
  redis.call('PEXPIRE', up, stats_ms)
  redis.call('ZADD', root .. 'due', next_check, 'hb:' .. server)
  local was = redis.call('HGET', root .. 's:' .. server, 'online')
  redis.call('HSET', root .. 's:' .. server, 'online', '1')
  refresh_server(server)
  if was ~= '1' then
    redis.call('HDEL', root .. 's:' .. server, 'left')
    register_change(server)
    announce_fleet('server', 'id', server, 'state', 'online')
    wake()
  end
end

local function offline(server)
  if redis.call('HGET', root .. 's:' .. server, 'online') == '1' then
    redis.call('HSET', root .. 's:' .. server, 'online', '0')
    refresh_server(server)
    register_change(server)
    announce_fleet('server', 'id', server, 'state', 'offline')
  end
end
