-- Workers that wait for work with a task's model in memory: for a moment the task is theirs alone.
--- @include models
--- @include reserve
--- @include fleet
--- @include decliners
local WARM_FIRST = 250 -- ms from when the task entered the queue
local WARM_ASKED = 16

local function waits_warm(other, id, t)
  if string.find(',' .. (t.tried or '') .. ',', ',' .. other .. ',', 1, true) then return false end
  if has_declined(t.declined, other) then return false end
  local s = redis.call('HMGET', root .. 's:' .. other, 'class', 'gateway')
  if redis.call('SISMEMBER', root .. 'lc:' .. t.lane, s[1]) == 0 then return false end
  local waits = redis.call('ZSCORE', root .. 'want:' .. s[1], other)
  local present = s[2] and number(redis.call('ZSCORE', root .. 'gw', s[2])) > now
  return waits and present and refresh_server(other).free and has_room(other, id, t.needs, t.loads)
end

-- Whether this server leaves the task (model, queued, lane, needs, tried, declined) to one of them, which is then told.
local function left_to_warm(id, t, server)
  if not t.model or now - number(t.queued) > WARM_FIRST or has_model(server, t.model) then return false end
  for _, other in ipairs(redis.call('ZRANGE', root .. 'warm:' .. t.model, 0, WARM_ASKED - 1)) do
    if waits_warm(other, id, t) then
      announce_fleet('server', 'id', other, 'state', 'asked') -- the event of the task may have woken this server alone
      return true
    end
  end
  return false
end
