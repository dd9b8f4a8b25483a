-- The queue. q:<lane>:<tenant> holds a tenant's tasks by score; per server class, rl:<class>:<tenant> ranks the lanes
-- that the class serves by a lower bound of their head's score, ready:<class> the tenants by a lower bound of their
-- virtual time. Bounds only ever grow, so a stale one is corrected when it comes up (see select.lua).
--- @include base
local function virtual_time(tenant)
  return math.max(number(redis.call('ZSCORE', root .. 'vt', tenant)), number(redis.call('GET', root .. 'vclock')))
end

local function enqueue(id, t)
  local q = root .. 'q:' .. t.lane .. ':' .. t.tenant
  redis.call('ZADD', q, t.score, id)
  if redis.call('ZRANK', q, id) == 0 then
    redis.call('SADD', root .. 'lt:' .. t.lane, t.tenant)
    local start = virtual_time(t.tenant)
    for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. t.lane)) do
      redis.call('ZADD', root .. 'rl:' .. class .. ':' .. t.tenant, 'LT', t.score, t.lane)
      redis.call('ZADD', root .. 'ready:' .. class, 'NX', start, t.tenant)
    end
  end
end

local function dequeue(id, t)
  local q = root .. 'q:' .. t.lane .. ':' .. t.tenant
  redis.call('ZREM', q, id)
  if redis.call('EXISTS', q) == 0 then
    redis.call('SREM', root .. 'lt:' .. t.lane, t.tenant)
    -- gone at once: a bound from before an idle time would let the tenant overtake the others later
    for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. t.lane)) do
      local lanes = root .. 'rl:' .. class .. ':' .. t.tenant
      redis.call('ZREM', lanes, t.lane)
      if redis.call('EXISTS', lanes) == 0 then redis.call('ZREM', root .. 'ready:' .. class, t.tenant) end
    end
  end
end

-- Start-time fair queueing (Goyal, Vin, Cheng 1996): a start costs its tenant 1 / weight of virtual time.
local function charge(t)
  local start = virtual_time(t.tenant)
  redis.call('SET', root .. 'vclock', string.format('%.17g', start))
  redis.call('ZADD', root .. 'vt', string.format('%.17g', start + 1 / math.max(number(t.weight), 1)), t.tenant)
end
