-- How many bytes a file may have at a path of a task; nil when there is room for none.
--- @include base
local function room_for(id, t, path)
  local known = redis.call('HGET', root .. 'tf:' .. id, path)
  if not known and redis.call('HLEN', root .. 'tf:' .. id) >= files_max then return nil end
  local old = known and number(redis.call('HGET', root .. 'file:' .. known, 'size')) or 0
  local in_task = task_bytes_max - number(redis.call('GET', root .. 'tfb:' .. id)) + old
  local of_tenant = tenant_files_max - number(redis.call('HGET', root .. 'file_use', t.tenant)) + old
  local room = math.min(file_bytes_max, in_task, of_tenant)
  return room > 0 and room or nil, known
end
