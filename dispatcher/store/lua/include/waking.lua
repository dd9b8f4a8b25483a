-- Have a gateway look for work when a server is free for a lane.
--- @include server
local function wake_for(lane)
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. lane)) do
    if redis.call('EXISTS', root .. 'free:' .. class) == 1 then return wake() end
  end
end
