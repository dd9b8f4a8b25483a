-- Counters per hour and for ever, of an origin, an owner and a server; written by the script that makes the fact.
--- @include base
local function count_in(scope, field, by)
  local day = root .. 'st:' .. scope .. ':' .. text(math.floor(now / 86400000))
  redis.call('HINCRBY', day, text(math.floor(now / 3600000) % 24) .. ':' .. field, by)
  redis.call('PEXPIRE', day, stats_ms)
  redis.call('HINCRBY', root .. 'sum:' .. scope, field, by)
  if string.sub(scope, 1, 1) ~= 'o' then redis.call('PEXPIRE', root .. 'sum:' .. scope, stats_ms) end
end

local MINUTES_MS = 172800000 -- how long the minutes of an origin are kept

local function count_minute(origin, field, by)
  local minutes = root .. 'mn:' .. origin .. ':' .. text(math.floor(now / 3600000))
  if redis.call('HINCRBY', minutes, text(math.floor(now / 60000) % 60) .. ':' .. field, by) == by then
    redis.call('PEXPIRE', minutes, MINUTES_MS)
  end
end

local function count(t, field, by)
  count_in('o:' .. t.origin, field, by)
  count_minute(t.origin, field, by)
  count_in('p:' .. t.origin .. ':' .. t.tenant .. ':' .. t.sub, field, by)
end

local function count_server(server, field, by)
  local name = server and server ~= '' and server or 'none'
  count_in('s:' .. name, field, by)
  if name ~= 'none' and (field == 'completed' or field == 'failed') then
    local busiest = root .. 'busy:' .. text(math.floor(now / 86400000))
    redis.call('ZINCRBY', busiest, by, name)
    redis.call('PEXPIRE', busiest, stats_ms)
  end
end
