-- reoffer_server: a registered server offers something else from now on; its record, attempts and slots stay,
-- and what it is confined to.
-- KEYS    root
-- ARGV    server_id server_class class_spec matching offer totals only max lanes...
-- OPTIONS classes_max events_kept
-- RETURNS reoffered | not_found | confined | stale | too_many
--- @include learn
--- @include server
--- @include fleet
local key = root .. 's:' .. server_id
local old = redis.call('HMGET', key, 'class', 'offer', 'max', 'only')
if not old[1] then return reply('not_found') end
if (old[4] or '') ~= only then return reply('confined') end
if max == '' then max = old[3] end
if old[2] == offer and old[3] == max then return reply('reoffered') end
local refusal = learn_class(server_class, class_spec, matching, lanes_at)
if refusal then return reply(refusal) end
redis.call('HSET', key, 'class', server_class, 'offer', offer, 'totals', totals, 'max', max)
if server_class ~= old[1] then
  redis.call('ZREM', root .. 'free:' .. old[1], server_id)
  redis.call('SREM', root .. 'cm:' .. old[1], server_id)
  redis.call('SREM', root .. 'cs:' .. old[1], server_id)
  redis.call('SADD', root .. 'cs:' .. server_class, server_id)
  drop_class_if_empty(old[1])
end
refresh_server(server_id)
register_change(server_id)
announce_fleet('server', 'id', server_id, 'state', 'reoffered')
wake()
return reply('reoffered')
