-- sweep_files: remove files of tasks that are gone; tell which blobs belong to no file any more.
-- KEYS    root
-- ARGV    limit:n
-- RETURNS orphans blob...
--- @include files
local left = limit
for _ = 1, limit do
  local gone = left > 0 and redis.call('SRANDMEMBER', root .. 'file_gone')
  if not gone then break end
  for _, file in ipairs(redis.call('HVALS', root .. 'tf:' .. gone)) do
    if left == 0 then break end
    drop_file(file)
    left = left - 1
  end
  if redis.call('EXISTS', root .. 'tf:' .. gone) == 0 then redis.call('SREM', root .. 'file_gone', gone) end
end
return reply('orphans', unpack(redis.call('ZRANGEBYSCORE', root .. 'orphans', '-inf', now, 'LIMIT', 0, limit)))
