--- @include base
local function rate_window(name, who, window)
  local reset = (math.floor(now / window) + 1) * window
  return root .. 'rl:' .. name .. ':' .. who .. ':' .. text(reset), reset
end

-- Counts one call in a fixed window (a minute unless told), exact over all gateways. Returns the count after it and the
-- window's end.
local function rate_hit(name, who, limit, window)
  window = window or 60000
  local key, reset = rate_window(name, who, window)
  if limit <= 0 then return 0, reset end
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('PEXPIRE', key, window + 1000) end
  return n, reset
end
