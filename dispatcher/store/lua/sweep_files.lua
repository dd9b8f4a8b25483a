-- sweep_files: remove files of tasks that are gone; tell which blobs belong to no file any more.
-- KEYS    root
-- ARGV    limit:n
-- RETURNS orphans blob...
--- @include files
local gone = redis.call('SRANDMEMBER', root .. 'file_gone')
if gone then
  for n, file in ipairs(redis.call('HVALS', root .. 'tf:' .. gone)) do
    if n > limit then break end
    drop_file(file)
  end
  if redis.call('EXISTS', root .. 'tf:' .. gone) == 0 then redis.call('SREM', root .. 'file_gone', gone) end
end
return reply('orphans', unpack(redis.call('ZRANGEBYSCORE', root .. 'orphans', '-inf', now, 'LIMIT', 0, limit)))
