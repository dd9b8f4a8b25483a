-- read_logs: of each task the lines after a number, and whether it has ended. Long lines make a page shorter.
-- KEYS    root
-- ARGV    limit:n bytes_max:n pairs...
-- RETURNS pages (task last oldest ended entries)...
--- @include base
local function entries_after(log, after)
  local found, bytes = {}, 0
  while #found < limit and bytes < bytes_max do
    local some = redis.call('XRANGE', log, '(' .. text(after) .. '-0', '+', 'COUNT', math.min(limit - #found, 256))
    for _, entry in ipairs(some) do
      found[#found + 1] = entry
      bytes = bytes + #entry[2][6]
    end
    if #some < 256 then break end
    after = tonumber(string.match(some[#some][1], '^%d+'))
  end
  return found
end

local pages = {}
for i = pairs_at, #ARGV, 2 do
  local id, after = ARGV[i], tonumber(ARGV[i + 1])
  local t = redis.call('HMGET', root .. 't:' .. id, 'state', 'ended')
  if t[1] then
    local h = redis.call('HMGET', root .. 'logh:' .. id, 'last', 'n')
    local last = number(h[1])
    local entries = last > after and entries_after(root .. 'log:' .. id, after) or {}
    pages[#pages + 1] = {id, text(last), text(last - number(h[2]) + 1), t[2] and t[1] or '', entries}
  end
end
return reply('pages', pages)
