-- connect_worker: this connection of a worker is the one that its work goes down from now on. A sign of life.
-- KEYS    root
-- ARGV    server_id session gateway
-- OPTIONS offline_after_ms stats_ms events_kept
-- RETURNS connected | not_found
--- @include heard
--- @include want
local key = root .. 's:' .. server_id
local known = redis.call('HMGET', key, 'class', 'session')
if not known[1] then return reply('not_found') end
heard_of(server_id)
if known[2] == session then return reply('connected') end -- the reply was lost
unwant(server_id, known[1]) -- that was the older connection's wish
redis.call('HSET', key, 'session', session, 'gateway', gateway)
announce_fleet('server.connected', 'id', server_id, 'session', session)
return reply('connected')
