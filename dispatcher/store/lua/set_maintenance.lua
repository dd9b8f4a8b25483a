-- set_maintenance: no new work for a server from now on, or again.
-- KEYS    root
-- ARGV    server_id on reason
-- OPTIONS events_kept
-- RETURNS set | not_found
--- @include server
--- @include fleet
local key = root .. 's:' .. server_id
if redis.call('EXISTS', key) == 0 then return reply('not_found') end
redis.call('HSET', key, 'maintenance', on, 'reason', reason)
refresh_server(server_id)
register_change(server_id)
announce_fleet('server', 'id', server_id, 'state', on == '1' and 'maintenance' or 'available')
if on ~= '1' then wake() end
return reply('set')
