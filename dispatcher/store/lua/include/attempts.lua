-- The task's last attempts, newest first, as tab-separated fields: fence server started ended
-- status error note.
--- @include base
local function plain(value)
  return (string.gsub(value, '%c', ' '))
end

local function attempt_started(id, fence, server, note)
  redis.call('LPUSH', root .. 'att:' .. id, table.concat({fence, server, text(now), '', 'running', '', plain(note)}, '\t'))
  redis.call('LTRIM', root .. 'att:' .. id, 0, attempts_kept - 1)
end

local function attempt_ended(id, status, why)
  local entry = redis.call('LINDEX', root .. 'att:' .. id, 0)
  if not entry then return end
  local fence, server, started = string.match(entry, '^(%d+)\t([^\t]*)\t(%d+)')
  local note = string.match(entry, '\t([^\t]*)$')
  redis.call('LSET', root .. 'att:' .. id, 0,
    table.concat({fence, server, started, text(now), status, plain(why), note}, '\t'))
end

local function ever_held(id, server)
  for _, entry in ipairs(redis.call('LRANGE', root .. 'att:' .. id, 0, -1)) do
    if string.match(entry, '^%d+\t([^\t]*)') == server then return true end
  end
  return false
end
