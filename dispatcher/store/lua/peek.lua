-- peek: heads that waited over behind_ms while a fitting server has a free slot, in queue order per class.
-- Walks the classes (bounded): at most four tenants and four lanes each, and as many heads as there are free slots, and four
-- more for those that may not start yet.
-- KEYS    root
-- ARGV    limit:n
-- OPTIONS behind_ms avoid_ms
-- RETURNS waiting (task lane tried (complete turn (server load)...))...
--- @include candidates
local found, seen = {}, {}
local function take(id, lane)
  if seen[id] then return true end
  if #found >= limit then return false end
  local t = redis.call('HMGET', root .. 't:' .. id, 'right', 'queued', 'tried', 'back')
  if number(t[1]) > now or now - number(t[2]) <= behind_ms then return false end
  seen[id] = true
  local avoided = t[3] and number(t[4]) + avoid_ms > now and t[3] or ''
  found[#found + 1] = {id, lane, avoided, candidates_with_turn(lane)}
  return true
end

local function free_slots(class)
  local slots = 0
  for _, id in ipairs(redis.call('ZRANGE', root .. 'free:' .. class, 0, limit - 1)) do
    slots = slots + number(redis.call('HGET', root .. 's:' .. id, 'max')) - redis.call('ZCARD', root .. 'slots:' .. id)
  end
  return slots
end

for _, class in ipairs(redis.call('HKEYS', root .. 'classes')) do
  if #found >= limit then break end
  local room = free_slots(class)
  if room > 0 then
    for _, tenant in ipairs(redis.call('ZRANGE', root .. 'ready:' .. class, 0, 3)) do
      for _, lane in ipairs(redis.call('ZRANGE', root .. 'rl:' .. class .. ':' .. tenant, 0, 3)) do
        local taken = 0
        for _, id in ipairs(redis.call('ZRANGE', root .. 'q:' .. lane .. ':' .. tenant, 0, math.min(room, limit) + 3)) do
          if taken == room then break end
          if take(id, lane) then taken = taken + 1 end
        end
      end
    end
  end
end
return reply('waiting', found)
