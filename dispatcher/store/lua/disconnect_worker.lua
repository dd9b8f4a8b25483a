-- disconnect_worker: a connection has ended; a newer one of the same worker stays. One that left for good is offline at once.
-- KEYS    root
-- ARGV    server_id session left
-- OPTIONS stats_ms events_kept
-- RETURNS disconnected | kept
--- @include want
--- @include alive
--- @include placement
local key = root .. 's:' .. server_id
if redis.call('HGET', key, 'session') ~= session then return reply('kept') end
unwant(server_id, redis.call('HGET', key, 'class'))
redis.call('HDEL', key, 'session', 'gateway')
if left == '1' then
  offline(server_id)
  forget_loaded(server_id)
  redis.call('HSET', key, 'left', '1')
  local forget = number(redis.call('HGET', key, 'forget'))
  if forget > 0 then
    redis.call('ZADD', root .. 'due', now + forget, 'hb:' .. server_id)
  else
    redis.call('ZREM', root .. 'due', 'hb:' .. server_id)
  end
end
return reply('disconnected')
