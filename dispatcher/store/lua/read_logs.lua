-- read_logs: of each task the lines after a number, and whether it has ended. Long lines make pages shorter; a page that
-- had to stay empty does not tell of an end.
-- KEYS    root
-- ARGV    limit:n bytes_max:n pairs...
-- RETURNS pages (task last oldest ended entries)...
--- @include base
local COUNT = 32
local left = bytes_max -- of all pages together
local function entries_after(log, after)
  local found = {}
  while #found < limit and left > 0 do
    local some = redis.call('XRANGE', log, '(' .. text(after) .. '-0', '+', 'COUNT', math.min(limit - #found, COUNT))
    for _, entry in ipairs(some) do
      found[#found + 1] = entry
      left = left - #entry[2][6]
    end
    if #some < COUNT then break end
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
    local unread = last > after and left <= 0
    local entries = last > after and entries_after(root .. 'log:' .. id, after) or {}
    local ended = t[2] and not unread and t[1] or ''
    pages[#pages + 1] = {id, text(last), text(last - number(h[2]) + 1), ended, entries}
  end
end
return reply('pages', pages)
