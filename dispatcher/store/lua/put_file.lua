-- put_file: record a file that was uploaded, in the place of an older one with its path.
-- KEYS    root
-- ARGV    file_id task_id origin by fence:n nonce holder path size:n type sha256 blob
-- OPTIONS attempts_kept files_max file_bytes_max task_bytes_max tenant_files_max
-- RETURNS kept fields | not_found | stale | never_held | no_attempt | ended state | too_large | quota | late
--- @include working
--- @include room
--- @include files
local key = root .. 'file:' .. file_id
if redis.call('EXISTS', key) == 1 then return reply('kept', redis.call('HGETALL', key)) end -- our own reply was lost
local refusal, t = not_at_work(task_id, origin)
if refusal then return reply(refusal, t) end
local full, of_task, of_tenant, known = room_for(task_id, t, path)
full = full or size > of_task and 'too_large' or size > of_tenant and 'quota'
if full then return reply(full) end
if number(redis.call('ZSCORE', root .. 'orphans', blob)) <= now then return reply('late') end -- it is being swept, or was

if known then drop_file(known) end
local f = {task = task_id, origin = t.origin, tenant = t.tenant, sub = t.sub, facets = t.facets, size = text(size)}
redis.call('ZREM', root .. 'orphans', blob)
redis.call('HSET', key, 'task', task_id, 'origin', t.origin, 'tenant', t.tenant, 'sub', t.sub, 'path', path, 'size', f.size,
  'type', type, 'sha256', sha256, 'blob', blob, 'fence', t.fence, 'created', text(now))
redis.call('HSET', root .. 'tf:' .. task_id, path, file_id)
for _, list in ipairs(file_lists(f)) do redis.call('ZADD', list, now, file_id) end
if t.facets then redis.call('HSET', key, 'facets', t.facets) end
count_bytes(f, 1)
return reply('kept', redis.call('HGETALL', key))
