-- Workers that wait for work on an open connection: want:<class>, the longest waiting first. What they want lives as long
-- as the gateway that holds the connection.
--- @include base
local function want(server, class, gateway)
  redis.call('ZADD', root .. 'want:' .. class, 'NX', now, server)
  redis.call('HSET', root .. 's:' .. server, 'want_gw', gateway)
end

local function unwant(server, class)
  redis.call('ZREM', root .. 'want:' .. class, server)
end
