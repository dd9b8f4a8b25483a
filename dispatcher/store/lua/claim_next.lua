-- claim_next: give a worker that fetches the next task that it may run. It holds the lease itself. A sign of life.
-- KEYS    root
-- ARGV    server claim_id nonce gateway lease_ms:n note session
-- OPTIONS offline_after_ms avoid_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap stats_ms updates_kept events_kept
-- RETURNS granted grant... | empty | unknown | replaced
--- @include select
--- @include start
--- @include heard
--- @include lives
local key = root .. 's:' .. server
if redis.call('EXISTS', key) == 0 then return reply('unknown') end
local earlier = redis.call('HMGET', root .. 'claim:' .. claim_id, 'task', 'fence')
if earlier[1] then -- the reply was lost
  local t = hash(root .. 't:' .. earlier[1])
  if t and t.fence == earlier[2] and lives(t.state, t.halted) then
    return reply('granted', unpack(grant_of(earlier[1], t)))
  end
end
if session ~= '' and redis.call('HGET', key, 'session') ~= session then return reply('replaced') end
heard_of(server)
local place = refresh_server(server)
local head = place.free and select_head(server, place.class)
if not head then return reply('empty') end
local t = hash(root .. 't:' .. head.id)
local grant = start_attempt(head.id, t, server, nonce, gateway, claim_id, lease_ms, note)
redis.call('HSET', root .. 't:' .. head.id, 'held', 's')
redis.call('ZADD', root .. 'due', 'XX', t.ends, 'x:' .. head.id) -- no gateway times it: no grace
redis.call('HSET', root .. 'acc:' .. server, slot(head.id, t.fence), '0')
redis.call('HSET', root .. 'claim:' .. claim_id, 'task', head.id, 'fence', t.fence)
redis.call('PEXPIRE', root .. 'claim:' .. claim_id, 60000)
return reply('granted', unpack(grant))
