-- renew: extend the leases of attempts that a gateway holds (task server fence)... Answers the places of the lost ones.
-- KEYS    root
-- ARGV    gateway lease_ms:n held...
-- RETURNS renewed place...
--- @include slots
--- @include lives
local lost_places = {}
for i = held_at, #ARGV, 3 do
  local id, server, fence = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local t = redis.call('HMGET', root .. 't:' .. id, 'state', 'fence', 'held', 'ends', 'halted')
  local member, lease = slot(id, fence), now + lease_ms
  local slots = root .. 'slots:' .. server
  if lives(t[1], t[5]) and t[2] == fence then
    if t[3] == 'g' then
      redis.call('HSET', root .. 't:' .. id, 'gw', gateway)
      redis.call('ZADD', slots, lease, member)
      redis.call('ZADD', root .. 'due', lease, 'l:' .. id)
    end
  elseif t[2] == fence and redis.call('ZSCORE', slots, member) then -- ended, but its call is still open
    lease = math.max(math.min(lease, number(t[4])), number(redis.call('ZSCORE', slots, member)))
    redis.call('ZADD', slots, lease, member)
    redis.call('ZADD', root .. 'due', lease, 'o:' .. server .. ':' .. member)
  elseif not (t[2] == fence and (t[1] == 'PENDING' or t[1] == 'RETRYING' or t[1] == 'PAUSED')) then
    lost_places[#lost_places + 1] = text((i - held_at) / 3)
  end
end
return reply('renewed', unpack(lost_places))
