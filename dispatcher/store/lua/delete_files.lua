-- delete_files: remove the file at a path of a task, or up to `limit` of all its files (empty path).
-- KEYS    root
-- ARGV    task_id origin tenant sub path limit:n
-- RETURNS deleted left | not_found
--- @include owned
--- @include files
if not owned(task_id, origin, tenant, sub) then return reply('not_found') end
local files = root .. 'tf:' .. task_id
if path ~= '' then
  local file = redis.call('HGET', files, path)
  if not file then return reply('not_found') end
  drop_file(file)
  return reply('deleted', '0')
end
for n, file in ipairs(redis.call('HVALS', files)) do
  if n > limit then break end
  drop_file(file)
end
return reply('deleted', text(redis.call('HLEN', files)))
