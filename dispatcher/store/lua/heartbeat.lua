-- heartbeat: a server lives. Renews the leases of the attempts it accepted; never clears maintenance or an ejection.
-- KEYS    root
-- ARGV    server_id health active metrics cpu memory gpu storage gpus boot_id session running_given running...
-- OPTIONS offline_after_ms accepted_lease_ms losses_max retention_ms stats_ms attempts_kept updates_kept events_kept
-- RETURNS seen | not_found | replaced
--- @include accepted
--- @include alive
--- @include sample
--- @include placement
local key = root .. 's:' .. server_id
local s = redis.call('HMGET', key, 'boot_id', 'health', 'listed', 'class', 'silence', 'session')
if not s[4] then return reply('not_found') end
if session ~= '' and s[6] ~= session then return reply('replaced') end
local was_free = redis.call('ZSCORE', root .. 'free:' .. s[4], server_id)
local silence = number(s[5])
local lease = now + (silence > 0 and silence or accepted_lease_ms) -- a worker that may be silent for so long has so long
if boot_id ~= '' and s[1] and s[1] ~= '' and s[1] ~= boot_id then
  lose_accepted(server_id, 'The server restarted')
  forget_loaded(server_id)
end
local listed = {}
if running_given == '1' then
  local again = now - number(s[3]) < 1000 -- a repeated heartbeat is no second list
  for i = running_at, #ARGV do listed[ARGV[i]] = true end
  for _, member in ipairs(redis.call('HKEYS', root .. 'acc:' .. server_id)) do
    local id = task_of(member)
    if listed[id] then
      redis.call('HSET', root .. 'acc:' .. server_id, member, '0')
    elseif not again and redis.call('HINCRBY', root .. 'acc:' .. server_id, member, 1) >= 2 then
      lose_attempt(server_id, member, 'The server no longer runs it')
    end
  end
  if not again then redis.call('HSET', key, 'listed', text(now)) end
end
if running_given == '1' then
  -- it works on for attempts that have ended: their slots stay
  for _, member in ipairs(redis.call('ZRANGE', root .. 'slots:' .. server_id, 0, -1)) do
    if listed[task_of(member)] and redis.call('HEXISTS', root .. 'acc:' .. server_id, member) == 0
      and redis.call('ZSCORE', root .. 'due', 'o:' .. server_id .. ':' .. member) then
      redis.call('ZADD', root .. 'slots:' .. server_id, 'GT', lease, member)
      redis.call('ZADD', root .. 'due', 'GT', lease, 'o:' .. server_id .. ':' .. member)
    end
  end
end
redis.call('HSET', key, 'seen', text(now), 'health', health, 'metrics', metrics)
add_sample(server_id, cpu, memory, gpu, storage, gpus)
if boot_id ~= '' then redis.call('HSET', key, 'boot_id', boot_id) end
if active ~= '' then
  local foreign = math.max(0, number(active) - redis.call('ZCARD', root .. 'slots:' .. server_id))
  redis.call('HSET', key, 'reported', active, 'foreign', text(foreign), 'foreign_until', text(now + 30000))
  if foreign > 0 then redis.call('ZADD', root .. 'due', 'LT', now + 30000, 'f:' .. server_id) end
else
  redis.call('HDEL', key, 'reported', 'foreign', 'foreign_until')
end
renew_accepted(server_id, lease)
sign_of_life(server_id, now + (silence > 0 and silence or offline_after_ms))
if not was_free and redis.call('ZSCORE', root .. 'free:' .. s[4], server_id) then wake() end
if s[2] ~= health then register_change(server_id) end
return reply('seen')
