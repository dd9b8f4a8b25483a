-- A server's place among the free ones of its class. Load is the size of its set of slots, never a counter.
--- @include base
local function refresh_server(id)
  local s = redis.call('HMGET', root .. 's:' .. id, 'class', 'online', 'maintenance', 'rest', 'ejected', 'max',
    'weight', 'probation', 'foreign', 'foreign_until', 'transport')
  if not s[1] then return nil end
  local class, max, weight = s[1], number(s[6]), math.max(number(s[7]), 1)
  local active = redis.call('ZCARD', root .. 'slots:' .. id)
  if number(s[10]) > now then active = active + number(s[9]) end
  if s[8] == '1' then max = 1 end
  local fit = s[2] == '1' and s[3] ~= '1'
  local open = fit and number(s[5]) == 0
  local pushed = (s[11] or 'push') == 'push' -- the others fetch, and are never chosen
  redis.call(fit and 'SADD' or 'SREM', root .. 'cm:' .. class, id)
  local free = open and number(s[4]) <= now and active < max
  if free and pushed then
    redis.call('ZADD', root .. 'free:' .. class, string.format('%.17g', active / weight), id)
  else
    redis.call('ZREM', root .. 'free:' .. class, id)
  end
  return {class = class, free = free, pushed = pushed, active = active, weight = weight}
end

local function register_change(id)
  local e = redis.call('HINCRBY', root .. 'reg', 'epoch', 1)
  redis.call('ZADD', root .. 'reglog', e, id)
end

-- Have one living gateway look for work that could start now.
local function wake()
  local living = redis.call('ZRANGEBYSCORE', root .. 'gw', now, '+inf', 'LIMIT', 0, 16)
  if #living > 0 then
    local inbox = root .. 'inbox:' .. living[1 + (now_us % #living)]
    redis.call('XADD', inbox, 'MAXLEN', '~', 1000, '*', 'kind', 'wake', 'task', '')
    redis.call('PEXPIRE', inbox, 10000)
  end
end
