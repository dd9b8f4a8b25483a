-- Free servers of a lane with their live loads: all of them while at most 64 servers fit, else the 16 least loaded
-- (of many classes only the best few each: a lane of 20 classes would read 320 servers to give 16). `complete` is true
-- whenever no free server was left out.
-- None that declined the task. A task with needs is given those with room for it, and a longer look: the least loaded may all be full for it.
--- @include reserve
--- @include decliners
local function candidates(lane, without, id, needs)
  local classes = redis.call('SMEMBERS', root .. 'lc:' .. lane)
  local fitting = 0
  for _, class in ipairs(classes) do fitting = fitting + redis.call('SCARD', root .. 'cm:' .. class) end
  local all = fitting <= 64
  local last = all and -1 or math.min(15, math.ceil(32 / #classes))
  if needs and not all then last = math.max(last, math.floor(256 / #classes) - 1) end
  local decliners = redis.call('HGET', root .. 't:' .. id, 'declined')
  local found, complete = {}, true
  for _, class in ipairs(classes) do
    local part = redis.call('ZRANGE', root .. 'free:' .. class, 0, last, 'WITHSCORES')
    local left_out = not all and redis.call('ZCARD', root .. 'free:' .. class) > #part / 2
    complete = complete and not left_out
    for i = 1, #part, 2 do
      local asked = part[i] ~= without and not has_declined(decliners, part[i])
      if asked and has_room(part[i], id, needs) then found[#found + 1] = {part[i], part[i + 1]} end
    end
  end
  if not all then
    table.sort(found, function(a, b)
      local x, y = tonumber(a[2]), tonumber(b[2])
      return x < y or (x == y and a[1] < b[1])
    end)
  end
  local given = all and #found or math.min(#found, 16)
  local flat = {(complete and given == #found) and '1' or '0', '0'}
  for i = 1, given do
    flat[#flat + 1] = found[i][1]
    flat[#flat + 1] = found[i][2]
  end
  return flat
end

-- The same with the lane's next turn in second place (counted only when there is something to choose from).
local function with_turn(lane, flat)
  if #flat > 2 then flat[2] = text(redis.call('HINCRBY', root .. 'turn', lane, 1) - 1) end
  return flat
end

local function candidates_with_turn(lane, without, id, needs)
  return with_turn(lane, candidates(lane, without, id, needs))
end
