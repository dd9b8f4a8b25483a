-- Forget a server; what it was running goes back to the queue, nothing counted.
--- @include accepted
--- @include classes
local function unregister(server_id)
  local key = root .. 's:' .. server_id
  local s = redis.call('HMGET', key, 'class', 'alias')
  if not s[1] then return false end
  redis.call('ZREM', root .. 'free:' .. s[1], server_id)
  redis.call('SREM', root .. 'cm:' .. s[1], server_id)
  redis.call('SREM', root .. 'cs:' .. s[1], server_id)
  redis.call('ZREM', root .. 'want:' .. s[1], server_id)
  for _, member in ipairs(redis.call('ZRANGE', root .. 'slots:' .. server_id, 0, -1)) do
    local id, fence = task_of(member)
    local t = hash(root .. 't:' .. id)
    if t and lives(t.state, t.halted) and t.fence == fence then
      attempt_ended(id, 'released', 'The server was unregistered')
      requeue(id, t, 0)
    end
    redis.call('ZREM', root .. 'due', 'o:' .. server_id .. ':' .. member)
    redis.call('HDEL', root .. 'graced', server_id .. ':' .. member)
  end
  for _, model in ipairs(redis.call('HKEYS', root .. 'pl:' .. server_id)) do
    redis.call('ZREM', root .. 'warm:' .. model, server_id)
  end
  redis.call('DEL', key, root .. 'slots:' .. server_id, root .. 'acc:' .. server_id, root .. 'held:' .. server_id,
    root .. 'tele:' .. server_id, root .. 'cmds:' .. server_id, root .. 'pl:' .. server_id,
    root .. 'plused:' .. server_id, root .. 'loads:' .. server_id)
  redis.call('ZREM', root .. 'servers', server_id)
  redis.call('ZREM', root .. 'due', 'hb:' .. server_id, 'f:' .. server_id)
  if s[2] then redis.call('DEL', root .. 'alias:' .. s[2]) end
  drop_class_if_empty(s[1])
  register_change(server_id)
  -- the log keeps the last thousand removals; who is further behind reads everything
  local spare = redis.call('ZCARD', root .. 'reglog') - redis.call('ZCARD', root .. 'servers') - 1000
  if spare > 0 then
    for _, id in ipairs(redis.call('ZRANGE', root .. 'reglog', 0, -1)) do
      if redis.call('EXISTS', root .. 's:' .. id) == 0 then
        redis.call('HSET', root .. 'reg', 'floor', redis.call('ZSCORE', root .. 'reglog', id))
        redis.call('ZREM', root .. 'reglog', id)
        break
      end
    end
  end
  announce_fleet('server', 'id', server_id, 'state', 'unregistered')
  wake()
  return true
end
