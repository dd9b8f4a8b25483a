-- Workers that wait for work on an open connection: want:<class>, the longest waiting first. What they want lives as long
-- as the connection, and the gateway that holds it.
--- @include base
local function want(server, class)
  redis.call('ZADD', root .. 'want:' .. class, 'NX', now, server)
end

local function unwant(server, class)
  redis.call('ZREM', root .. 'want:' .. class, server)
end
