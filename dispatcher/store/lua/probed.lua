-- probed: what endpoints.health answered. Good ends an ejection that is over with one task on probation.
-- KEYS    root
-- ARGV    server_id ok
-- OPTIONS offline_after_ms probe_every_ms stats_ms events_kept eject_base_ms
-- RETURNS noted | not_found
--- @include alive
local key = root .. 's:' .. server_id
local s = redis.call('HMGET', key, 'ejected', 'seen')
if not s[1] and redis.call('EXISTS', key) == 0 then return reply('not_found') end
if ok == '1' then
  if number(s[1]) > 0 and number(s[1]) <= now then
    redis.call('HSET', key, 'ejected', '0', 'probation', '1', 'readmitted', text(now))
    redis.call('ZREM', root .. 'due', 'f:' .. server_id)
    register_change(server_id)
    wake()
  end
  sign_of_life(server_id, now + probe_every_ms)
else
  if number(s[1]) > 0 and number(s[1]) <= now then
    redis.call('HSET', key, 'ejected', text(now + eject_base_ms))
    redis.call('ZADD', root .. 'due', now + eject_base_ms, 'f:' .. server_id)
  end
  local silent_at = number(s[2]) + offline_after_ms
  if silent_at > now then -- a page that fails says nothing against fresh heartbeats
    redis.call('ZADD', root .. 'due', silent_at, 'hb:' .. server_id)
  else
    redis.call('ZADD', root .. 'due', now + probe_every_ms, 'hb:' .. server_id)
    offline(server_id)
  end
end
return reply('noted')
