-- Free servers of a lane with their live loads: all of them while at most 64 servers fit, else the 16 least loaded.
--- @include base
local function candidates(lane)
  local classes = redis.call('SMEMBERS', root .. 'lc:' .. lane)
  local fitting = 0
  for _, class in ipairs(classes) do fitting = fitting + redis.call('SCARD', root .. 'cm:' .. class) end
  local complete = fitting <= 64
  local found = {}
  for _, class in ipairs(classes) do
    local part = redis.call('ZRANGE', root .. 'free:' .. class, 0, complete and -1 or 15, 'WITHSCORES')
    for i = 1, #part, 2 do found[#found + 1] = {part[i], part[i + 1]} end
  end
  if not complete then
    table.sort(found, function(a, b)
      local x, y = tonumber(a[2]), tonumber(b[2])
      return x < y or (x == y and a[1] < b[1])
    end)
  end
  local flat = {complete and '1' or '0', '0'}
  for i = 1, math.min(#found, complete and #found or 16) do
    flat[#flat + 1] = found[i][1]
    flat[#flat + 1] = found[i][2]
  end
  return flat
end

-- The same with the lane's next turn in second place (counted only when there is something to choose from).
local function candidates_with_turn(lane)
  local flat = candidates(lane)
  if #flat > 2 then flat[2] = text(redis.call('HINCRBY', root .. 'turn', lane, 1) - 1) end
  return flat
end
