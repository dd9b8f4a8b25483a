-- reserve_file: announce an upload of the current attempt; its blob is an orphan if the record never comes.
-- KEYS    root
-- ARGV    task_id origin by fence:n nonce holder path blob keep_ms:n
-- OPTIONS attempts_kept files_max file_bytes_max task_bytes_max tenant_files_max
-- RETURNS reserved of_task of_tenant | not_found | stale | never_held | no_attempt | ended state | too_large | quota
--- @include working
--- @include room
local refusal, t = not_at_work(task_id, origin)
if refusal then return reply(refusal, t) end
local full, of_task, of_tenant = room_for(task_id, t, path)
if full then return reply(full) end
redis.call('ZADD', root .. 'orphans', now + keep_ms, blob)
return reply('reserved', text(of_task), text(of_tenant))
