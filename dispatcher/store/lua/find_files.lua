-- find_files: a page of an owner's files (empty sub: everybody's), newest first.
-- KEYS    root
-- ARGV    origin tenant sub offset:n limit:n
-- RETURNS files total (file fields)...
--- @include base
local list = root .. 'fo:' .. origin .. (sub ~= '' and ':' .. tenant .. ':' .. sub or '')
local found = {}
for _, file in ipairs(redis.call('ZREVRANGE', list, offset, offset + limit - 1)) do
  found[#found + 1] = {file, redis.call('HGETALL', root .. 'file:' .. file)}
end
return reply('files', text(redis.call('ZCARD', list)), found)
