-- The retry budget, in thousandths of a token: a share of the first attempts plus some per second (as Finagle's).
--- @include base
local function budget_level(extra)
  local b = redis.call('HMGET', root .. 'budget', 'tokens', 'at')
  local tokens = b[1] and number(b[1]) or retry_budget_cap * 1000
  if b[2] then tokens = tokens + (now - number(b[2])) * retry_budget_per_s end
  return math.min(tokens + extra, retry_budget_cap * 1000)
end

local function budget_set(tokens)
  redis.call('HSET', root .. 'budget', 'tokens', text(tokens), 'at', text(now))
end

local function budget_deposit()
  budget_set(budget_level(retry_budget_share * 1000))
end

local function budget_take()
  local tokens = budget_level(0)
  if tokens < 1000 then return false end
  budget_set(tokens - 1000)
  return true
end
