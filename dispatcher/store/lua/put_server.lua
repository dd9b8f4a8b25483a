-- put_server: register a server, or replace the record of a known id; never what it is confined to.
-- KEYS    root
-- ARGV    server_id server_class class_spec matching alias origin name predict health metrics_url cancel_url offer totals sealed_key max weight transport silence forget address only keep lanes...
-- OPTIONS classes_max offline_after_ms losses_max retention_ms stats_ms attempts_kept updates_kept events_kept
-- RETURNS registered | confined | stale | too_many
--- @include accepted
--- @include learn
--- @include alive
--- @include placement
--- @include server
local there = redis.call('HMGET', root .. 's:' .. server_id, 'class', 'address', 'only')
if there[1] and (there[3] or '') ~= only then return reply('confined') end
if keep == '1' then
  if there[1] then
    if address ~= (there[2] or '') then
      redis.call('HSET', root .. 's:' .. server_id, 'address', address)
      register_change(server_id)
    end
    return reply('registered')
  end
end
local refusal = learn_class(server_class, class_spec, matching, lanes_at)
if refusal then return reply(refusal) end
local key = root .. 's:' .. server_id
local old = redis.call('HMGET', key, 'class', 'seq', 'registered', 'maintenance', 'reason', 'alias', 'handed')
if old[1] then
  lose_accepted(server_id, 'The server registered again')
  forget_loaded(server_id)
  redis.call('ZREM', root .. 'free:' .. old[1], server_id)
  redis.call('SREM', root .. 'cm:' .. old[1], server_id)
  redis.call('SREM', root .. 'cs:' .. old[1], server_id)
  redis.call('ZREM', root .. 'want:' .. old[1], server_id)
end
redis.call('SADD', root .. 'cs:' .. server_class, server_id)
local seq = old[2] or text(redis.call('HINCRBY', root .. 'reg', 'seq', 1))
redis.call('DEL', key)
if old[6] then redis.call('DEL', root .. 'alias:' .. old[6]) end
redis.call('HSET', key, 'seq', seq, 'class', server_class, 'origin', origin, 'name', name, 'predict', predict, 'health_url',
  health, 'metrics_url', metrics_url, 'cancel_url', cancel_url, 'offer', offer, 'totals', totals, 'sealed_key', sealed_key, 'max', max,
  'weight', weight, 'transport', transport, 'silence', silence, 'forget', forget, 'address', address, 'only', only, 'registered', old[3] or text(now), 'seen', text(now), 'online', '1', 'health', 'healthy')
if old[4] then redis.call('HSET', key, 'maintenance', old[4], 'reason', old[5]) end
if old[7] then redis.call('HSET', key, 'handed', old[7]) end
if alias ~= '' then
  redis.call('SET', root .. 'alias:' .. alias, server_id)
  redis.call('HSET', key, 'alias', alias)
end
redis.call('ZADD', root .. 'servers', seq, server_id)
if old[1] then drop_class_if_empty(old[1]) end
sign_of_life(server_id, now + (number(silence) > 0 and number(silence) or offline_after_ms))
register_change(server_id)
announce_fleet('server', 'id', server_id, 'state', 'registered')
wake()
return reply('registered')
