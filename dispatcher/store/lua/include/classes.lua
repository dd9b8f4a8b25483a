-- Server classes come with their first server and go with their last.
--- @include queue
-- A new class learns which tenants already wait in a lane: O(tenants of the lane), once per new class and lane.
local function rank_lane(class, lane)
  for _, tenant in ipairs(redis.call('SMEMBERS', root .. 'lt:' .. lane)) do
    local head = redis.call('ZRANGE', root .. 'q:' .. lane .. ':' .. tenant, 0, 0, 'WITHSCORES')
    redis.call('ZADD', root .. 'rl:' .. class .. ':' .. tenant, head[2], lane)
    redis.call('ZADD', root .. 'ready:' .. class, 'NX', virtual_time(tenant), tenant)
  end
end

local function drop_class_if_empty(class)
  if redis.call('EXISTS', root .. 'cs:' .. class) == 1 then return end
  for _, lane in ipairs(redis.call('SMEMBERS', root .. 'cl:' .. class)) do
    redis.call('SREM', root .. 'lc:' .. lane, class)
  end
  for _, tenant in ipairs(redis.call('ZRANGE', root .. 'ready:' .. class, 0, -1)) do
    redis.call('DEL', root .. 'rl:' .. class .. ':' .. tenant)
  end
  redis.call('DEL', root .. 'cl:' .. class, root .. 'cm:' .. class, root .. 'free:' .. class, root .. 'ready:' .. class,
    root .. 'want:' .. class)
  redis.call('HDEL', root .. 'classes', class)
  redis.call('HINCRBY', root .. 'reg', 'matching', 1)
end
