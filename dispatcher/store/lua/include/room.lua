-- How many bytes a file may have at a path of a task: by what files and tasks may have, and by what its tenant has
-- left. Where there is room for none, before them why.
--- @include base
local function room_for(id, t, path)
  local known = redis.call('HGET', root .. 'tf:' .. id, path)
  if not known and redis.call('HLEN', root .. 'tf:' .. id) >= files_max then return 'quota' end
  local old = known and number(redis.call('HGET', root .. 'file:' .. known, 'size')) or 0
  local of_task = task_bytes_max - number(redis.call('GET', root .. 'tfb:' .. id)) + old
  local of_tenant = tenant_files_max - number(redis.call('HGET', root .. 'file_use', t.tenant)) + old
  of_task = math.min(file_bytes_max, of_task)
  local refusal = of_task <= 0 and 'too_large' or of_tenant <= 0 and 'quota' or nil
  return refusal, of_task, of_tenant, known
end
