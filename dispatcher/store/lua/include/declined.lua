-- A worker may not run a task, or cannot: nobody's fault. Others are asked, as long as there are any.
--- @include decliners
--- @include ending
--- @include ranks
local DECLINERS = 64 -- of one task

-- Whether as many servers as it needs are online and have not declined, maintenance or not.
-- O(servers of the lane), but only once all that serve have declined.
local function are_left(t)
  local left = serving(t.lane, t.declined)
  if left >= gang_size(t) then return true end
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. t.lane)) do
    for _, server in ipairs(redis.call('SMEMBERS', root .. 'cs:' .. class)) do
      local s = redis.call('HMGET', root .. 's:' .. server, 'online', 'maintenance')
      if s[1] == '1' and s[2] == '1' and not has_declined(t.declined, server) then left = left + 1 end
      if left >= gang_size(t) then return true end
    end
  end
  return false
end

local function end_declined(id, t)
  end_task(id, t, 'FAILED', 'DECLINED', 'No worker took it; the last one said: ' .. t.decline)
end

-- Nobody may be left for a moment only, while a worker starts anew: it is looked again, and twice in a row ends the task.
local function look_for_others(id, t)
  redis.call('HSET', root .. 't:' .. id, 'nobody', are_left(t) and '0' or '1')
  redis.call('ZADD', root .. 'due', now + declined_wait_ms, 'n:' .. id)
end

local function decline(id, t, server, why)
  local n = 1
  for _ in string.gmatch(t.declined or '', '[^,]+') do n = n + 1 end
  t.declined, t.decline = (t.declined and t.declined .. ',' or '') .. server, why
  redis.call('HSET', root .. 't:' .. id, 'declined', t.declined, 'decline', why)
  if n == DECLINERS then return end_declined(id, t) end
  if number(t.waited) > 0 then -- it was not begun: it still has to be by then
    redis.call('HSET', root .. 't:' .. id, 'waiting_deadline', t.waited)
    redis.call('ZADD', root .. 'due', t.waited, 'd:' .. id)
  end
  requeue(id, t, 0)
  look_for_others(id, t)
end

local function others_due(id)
  local t = hash(root .. 't:' .. id)
  if not t or t.ended or not t.declined then return end
  if t.nobody == '1' and t.state == 'PENDING' and not are_left(t) then return end_declined(id, t) end
  look_for_others(id, t)
end
