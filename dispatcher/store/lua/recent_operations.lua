-- recent_operations: the newest first.
-- KEYS    root
-- ARGV    limit:n
-- RETURNS operations (id fields)...
--- @include base
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', root .. 'ops', 0, -1)) do
  if #found == limit then break end
  local flat = redis.call('HGETALL', root .. 'op:' .. id)
  if #flat > 0 then found[#found + 1] = {id, unpack(flat)} end
end
return reply('operations', found)
