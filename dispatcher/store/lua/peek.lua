-- peek: heads that waited over behind_ms while a fitting server has a free slot, in queue order per class.
-- Walks the classes (bounded): at most four tenants and four lanes each, and as many heads as there are free slots, and four
-- more for those that may not start yet.
-- KEYS    root
-- ARGV    limit:n
-- OPTIONS behind_ms avoid_ms
-- RETURNS waiting (task lane tried model (complete turn (server load)...))...
--- @include candidates
local ROOMLESS = 32 -- heads without room anywhere that are met before it gives up
local found, seen, roomless = {}, {}, 0
-- True: it is in the answer; false: it may not start yet; nil: there is no room for it, nor for the lane behind it.
local function take(id, lane)
  if seen[id] then return nil end
  if #found >= limit then return false end
  local t = redis.call('HMGET', root .. 't:' .. id, 'right', 'queued', 'tried', 'back', 'needs', 'model')
  if number(t[1]) > now or now - number(t[2]) <= behind_ms then return false end
  local free = candidates(lane, nil, id, t[5])
  if #free == 2 then -- those with needs, or declined
    seen[id], roomless = 'roomless', roomless + 1
    passed_by(id)
    return nil
  end
  seen[id] = 'placed'
  local avoided = t[3] and number(t[4]) + avoid_ms > now and t[3] or ''
  found[#found + 1] = {id, lane, avoided, t[6] or '', with_turn(lane, free)}
  return true
end

local function free_slots(class)
  local slots = 0
  for _, id in ipairs(redis.call('ZRANGE', root .. 'free:' .. class, 0, limit - 1)) do
    slots = slots + number(redis.call('HGET', root .. 's:' .. id, 'max')) - redis.call('ZCARD', root .. 'slots:' .. id)
  end
  return slots
end

local taken, slots = {}, {} -- by lane, over all classes and tenants
for _, class in ipairs(redis.call('HKEYS', root .. 'classes')) do
  if #found >= limit then break end
  local room, met = free_slots(class), {}
  if room > 0 then
    for _, tenant in ipairs(redis.call('ZRANGE', root .. 'ready:' .. class, 0, 3)) do
      for _, lane in ipairs(redis.call('ZRANGE', root .. 'rl:' .. class .. ':' .. tenant, 0, 3)) do
        if not met[lane] then met[lane], slots[lane] = true, (slots[lane] or 0) + room end
        local last = math.min(slots[lane], limit) + 3
        for _, id in ipairs(redis.call('ZRANGE', root .. 'q:' .. lane .. ':' .. tenant, 0, last)) do
          if (taken[lane] or 0) >= slots[lane] or roomless == ROOMLESS then break end
          local took = seen[id] ~= 'placed' and take(id, lane)
          if took == nil then break end
          if took then taken[lane] = (taken[lane] or 0) + 1 end
        end
      end
    end
  end
end
return reply('waiting', found)
