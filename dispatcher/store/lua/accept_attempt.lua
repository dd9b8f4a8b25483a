-- accept_attempt: the server answered 202; from now on its heartbeats carry the lease.
-- KEYS    root
-- ARGV    task_id fence:n nonce lease_ms:n
-- RETURNS accepted | stale
--- @include slots
local key = root .. 't:' .. task_id
local t = redis.call('HMGET', key, 'state', 'fence', 'nonce', 'server', 'ends')
if t[1] ~= 'PROCESSING' or number(t[2]) ~= fence or t[3] ~= nonce then return reply('stale') end
redis.call('HSET', key, 'held', 's')
redis.call('HSET', root .. 'acc:' .. t[4], slot(task_id, t[2]), '0')
redis.call('ZADD', root .. 'slots:' .. t[4], now + lease_ms, slot(task_id, t[2]))
redis.call('ZADD', root .. 'due', now + lease_ms, 'l:' .. task_id)
redis.call('ZADD', root .. 'due', 'XX', t[5], 'x:' .. task_id) -- no gateway times it any more: no grace
return reply('accepted')
