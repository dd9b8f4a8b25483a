-- Fixed windows (a minute unless told), exact over all gateways. Returns the count after this call and the window's end.
--- @include base
local function rate_hit(name, who, limit, window)
  window = window or 60000
  local reset = (math.floor(now / window) + 1) * window
  if limit <= 0 then return 0, reset end
  local key = root .. 'rl:' .. name .. ':' .. who .. ':' .. text(reset)
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('PEXPIRE', key, window + 1000) end
  return n, reset
end
