-- Workers that wait for work with a task's model in memory, or where an operator has put it: for a moment the task is
-- theirs alone.
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

-- Whether this server leaves the task (model, queued, lane, needs, tried, declined) to one that is better off, which is
-- then told.
local function left_to_warm(id, t, server)
  if not t.model or now - number(t.queued) > WARM_FIRST then return false end
  local mine = redis.call('ZSCORE', root .. 'warm:' .. t.model, server)
  local others = redis.call('ZRANGE', root .. 'warm:' .. t.model, 0, WARM_ASKED - 1, 'WITHSCORES')
  for i = 1, #others, 2 do
    local other = others[i]
    if mine and tonumber(others[i + 1]) >= tonumber(mine) then return false end
    if waits_warm(other, id, t) then
      announce_fleet('server', 'id', other, 'state', 'asked') -- the event of the task may have woken this server alone
      return true
    end
  end
  return false
end
