-- claim_next: give a worker that fetches the next task that it may run. It holds the lease itself. A sign of life.
-- KEYS    root
-- ARGV    server claim_id nonce gateway lease_ms:n note session
-- OPTIONS declined_max gather_ms offer_ms offline_after_ms avoid_ms attempts_kept retry_budget_share retry_budget_per_s retry_budget_cap stats_ms updates_kept events_kept
-- RETURNS granted grant... | empty | unknown | replaced
--- @include select
--- @include start
--- @include heard
--- @include lives
local key = root .. 's:' .. server
if redis.call('EXISTS', key) == 0 then return reply('unknown') end
local earlier = redis.call('HMGET', root .. 'claim:' .. claim_id, 'task', 'fence', 'rank')
if earlier[1] then -- the reply was lost
  local t = hash(root .. 't:' .. earlier[1])
  if t and t.fence == earlier[2] and lives(t.state, t.halted) then
    return reply('granted', unpack(grant_of(earlier[1], t, number(earlier[3]), server)))
  end
  return reply('empty') -- one call starts one attempt: who asks again does it by a claim of its own
end
if session ~= '' and redis.call('HGET', key, 'session') ~= session then return reply('replaced') end
heard_of(server)

-- From now on the worker holds the lease.
local function give(id, t, rank)
  local member = slot(id, t.fence, rank)
  redis.call('ZADD', root .. 'slots:' .. server, now + lease_ms, member)
  redis.call('ZADD', root .. 'due', now + lease_ms, lease_timer(server, member))
  redis.call('HSET', root .. 'acc:' .. server, member, '0')
  redis.call('HSET', root .. 'claim:' .. claim_id, 'task', id, 'fence', t.fence, 'rank', text(rank))
  redis.call('PEXPIRE', root .. 'claim:' .. claim_id, 60000)
  return reply('granted', unpack(grant_of(id, t, rank, server)))
end

local handed, its, rank = take_handed(server)
if handed then return give(handed, its, rank) end
local place = refresh_server(server)
local head = place.free and select_head(server, place.class, session ~= '')
if not head then
  if session ~= '' and place.free then want(server, place.class) end
  return reply('empty')
end
local t = hash(root .. 't:' .. head.id)
unwant(server, place.class)
start_attempt(head.id, t, server, nonce, gateway, claim_id, lease_ms, note)
if head.peers then start_ranks(head.id, t, server, head.peers) end
redis.call('HSET', root .. 't:' .. head.id, 'held', 's')
redis.call('ZADD', root .. 'due', 'XX', t.ends, 'x:' .. head.id) -- no gateway times it: no grace
return give(head.id, t, 0)
