-- The workers that declined a task, as text: it is given to none of them again in this run.
--- @include base
local function has_declined(decliners, server)
  return decliners and string.find(',' .. decliners .. ',', ',' .. server .. ',', 1, true) ~= nil
end

-- How many servers of a lane are online and not in maintenance, but for those that declined.
local function serving(lane, decliners)
  local n = 0
  for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. lane)) do
    n = n + redis.call('SCARD', root .. 'cm:' .. class)
  end
  for server in string.gmatch(decliners or '', '[^,]+') do
    local class = redis.call('HGET', root .. 's:' .. server, 'class')
    if class and redis.call('SISMEMBER', root .. 'lc:' .. lane, class) == 1 then
      n = n - redis.call('SISMEMBER', root .. 'cm:' .. class, server)
    end
  end
  return n
end
