-- Files of tasks: their records, the room they take, and blobs that have lost theirs.
--- @include base
local function file_lists(f)
  local all, own = root .. 'fo:' .. f.origin, root .. 'fo:' .. f.origin .. ':' .. f.tenant .. ':' .. f.sub
  local lists = {all, own}
  for facet in string.gmatch(f.facets or '', '%S+') do
    local prefix = root .. 'fof:' .. facet .. ':' .. f.origin
    lists[#lists + 1] = prefix
    lists[#lists + 1] = prefix .. ':' .. f.tenant .. ':' .. f.sub
  end
  return lists
end

local function count_bytes(f, sign)
  local size = sign * number(f.size) + 0 -- never -0
  redis.call('INCRBY', root .. 'tfb:' .. f.task, text(size))
  if redis.call('EXISTS', root .. 'tf:' .. f.task) == 0 then redis.call('DEL', root .. 'tfb:' .. f.task) end
  if redis.call('HINCRBY', root .. 'file_use', f.tenant, text(size)) <= 0 then
    redis.call('HDEL', root .. 'file_use', f.tenant)
  end
end

local function drop_file(file)
  local f = hash(root .. 'file:' .. file)
  if not f then return end
  redis.call('DEL', root .. 'file:' .. file)
  redis.call('HDEL', root .. 'tf:' .. f.task, f.path)
  for _, list in ipairs(file_lists(f)) do redis.call('ZREM', list, file) end
  count_bytes(f, -1)
  redis.call('ZADD', root .. 'orphans', now, f.blob)
end
