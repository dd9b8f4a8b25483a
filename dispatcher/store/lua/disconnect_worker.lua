-- disconnect_worker: a connection has ended; a newer one of the same worker stays.
-- KEYS    root
-- ARGV    server_id session
-- RETURNS disconnected | kept
--- @include want
local key = root .. 's:' .. server_id
if redis.call('HGET', key, 'session') ~= session then return reply('kept') end
unwant(server_id, redis.call('HGET', key, 'class'))
redis.call('HDEL', key, 'session', 'gateway')
return reply('disconnected')
