-- get_files: the files of a task, or the one at a path.
-- KEYS    root
-- ARGV    task_id path
-- RETURNS files (file fields)...
--- @include base
local ids = path == '' and redis.call('HVALS', root .. 'tf:' .. task_id) or {redis.call('HGET', root .. 'tf:' .. task_id, path)}
local found = {}
for _, file in ipairs(ids) do
  if file then found[#found + 1] = {file, redis.call('HGETALL', root .. 'file:' .. file)} end
end
return reply('files', found)
