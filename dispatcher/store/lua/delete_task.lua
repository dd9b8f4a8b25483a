-- delete_task: remove an ended task.
-- KEYS    root
-- ARGV    task_id origin tenant sub
-- OPTIONS updates_kept events_kept
-- RETURNS deleted | not_found | illegal state
--- @include remove
--- @include owned
local t = owned(task_id, origin, tenant, sub)
if not t then return reply('not_found') end
if not t.ended then return reply('illegal', t.state) end
remove_task(task_id, t)
announce_fleet('task', 'id', task_id, 'state', 'DELETED', 'rev', '0', 'origin', t.origin, 'tenant', t.tenant,
  'sub', t.sub)
return reply('deleted')
