-- find_files: a page of an owner's files (empty sub: everybody's), newest first; with a facet only those of its tasks.
-- KEYS    root
-- ARGV    origin tenant sub facet offset:n limit:n
-- RETURNS files total (file fields)...
--- @include base
local kind = facet ~= '' and 'fof:' .. facet .. ':' or 'fo:'
local list = root .. kind .. origin .. (sub ~= '' and ':' .. tenant .. ':' .. sub or '')
local found = {}
for _, file in ipairs(redis.call('ZREVRANGE', list, offset, offset + limit - 1)) do
  found[#found + 1] = {file, redis.call('HGETALL', root .. 'file:' .. file)}
end
return reply('files', text(redis.call('ZCARD', list)), found)
