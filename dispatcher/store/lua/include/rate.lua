-- Fixed minute windows, exact over all gateways. Returns the count after this call and the window's end.
--- @include base
local function rate_hit(name, who, limit)
  local reset = (math.floor(now / 60000) + 1) * 60000
  if limit <= 0 then return 0, reset end
  local key = root .. 'rl:' .. name .. ':' .. who .. ':' .. text(reset)
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('PEXPIRE', key, 61000) end
  return n, reset
end
