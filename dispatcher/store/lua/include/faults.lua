-- What a server's answers say of it: three faults in a row eject it for a growing time, a success clears it.
--- @include server
--- @include fleet
local function can_spare(server, lane)
  local fitting, ejected, slots, used = 0, 0, 0, 0
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. lane)) do
    -- O(servers of the lane), but only on every third fault in a row
    for _, id in ipairs(redis.call('SMEMBERS', root .. 'cm:' .. class)) do
      local s = redis.call('HMGET', root .. 's:' .. id, 'ejected', 'max')
      fitting = fitting + 1
      if number(s[1]) > 0 then ejected = ejected + 1 end
      used = used + redis.call('ZCARD', root .. 'slots:' .. id)
      if id ~= server and number(s[1]) == 0 then slots = slots + number(s[2]) end
    end
  end
  return ejected + 1 <= math.floor(fitting / 2) and slots >= used
end

local function eject(server, key)
  local times = redis.call('HINCRBY', key, 'ejections', 1)
  local until_ms = now + math.min(eject_base_ms * 2 ^ (times - 1), eject_max_ms)
  redis.call('HSET', key, 'ejected', text(until_ms), 'faults', '0', 'probation', '0')
  redis.call('ZADD', root .. 'due', 'LT', until_ms, 'f:' .. server)
  register_change(server)
  announce_fleet('server', 'id', server, 'state', 'ejected')
end

-- The last 16 servers that failed a task.
local function add_tried(id, t, server)
  local kept = {}
  for known in string.gmatch(t.tried or '', '[^,]+') do
    if known == server then return end
    kept[#kept + 1] = known
  end
  if #kept == 16 then table.remove(kept, 1) end
  kept[#kept + 1] = server
  redis.call('HSET', root .. 't:' .. id, 'tried', table.concat(kept, ','))
end

local function server_fault(server, lane)
  local key = root .. 's:' .. server
  if redis.call('EXISTS', key) == 0 then return end
  local faults = redis.call('HINCRBY', key, 'faults', 1)
  local s = redis.call('HMGET', key, 'ejected', 'probation')
  if number(s[1]) == 0 and (faults >= eject_after or s[2] == '1') and can_spare(server, lane) then
    eject(server, key)
  end
  refresh_server(server)
end

-- It works: forget its faults, and its ejections once the longest one would be over. The service time is smoothed.
local function server_success(server, service_ms)
  local key = root .. 's:' .. server
  local s = redis.call('HMGET', key, 'faults', 'busy', 'probation', 'ejections', 'readmitted', 'latency', 'class')
  if not s[7] then return end
  if service_ms > 0 then
    local latency = s[6] and number(s[6]) + 0.2 * (service_ms - number(s[6])) or service_ms
    redis.call('HSET', key, 'latency', string.format('%.14g', latency))
  end
  if number(s[4]) > 0 and now - number(s[5]) > eject_max_ms then redis.call('HSET', key, 'ejections', '0') end
  if number(s[1]) > 0 or number(s[2]) > 0 or s[3] == '1' then
    redis.call('HSET', key, 'faults', '0', 'busy', '0', 'probation', '0')
    refresh_server(server)
  end
end

-- It asked to be left alone. Five bare 503 in a row are a fault; a 429 or a Retry-After is good manners.
local function server_busy(server, lane, rest_ms)
  local key = root .. 's:' .. server
  if redis.call('EXISTS', key) == 0 then return end
  local rest = math.max(math.min(rest_ms, rest_max_ms), rest_min_ms)
  redis.call('HSET', key, 'rest', text(now + rest))
  redis.call('ZADD', root .. 'due', 'LT', now + rest, 'f:' .. server)
  if rest_ms > 0 then
    redis.call('HSET', key, 'busy', '0')
  elseif redis.call('HINCRBY', key, 'busy', 1) >= 5 then
    redis.call('HSET', key, 'busy', '0')
    server_fault(server, lane)
  end
  refresh_server(server)
end
