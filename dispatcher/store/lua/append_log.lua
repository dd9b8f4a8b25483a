-- append_log: add lines of the current attempt, without those that this rank of it sent before; drop the oldest beyond the bounds.
-- A line is its stream (o or e, O or E where it goes on in the next), the worker's time (ms, may be empty), a tab, its text.
-- KEYS    root
-- ARGV    task_id origin by fence:n nonce holder first:n lines...
-- OPTIONS attempts_kept log_lines_max log_bytes_max tenant_log_bytes_max log_bytes_least
-- RETURNS appended next | not_found | stale | never_held | no_attempt | ended state
--- @include working
local refusal, t = not_at_work(task_id, origin)
if refusal then return reply(refusal, t) end
local log, head = root .. 'log:' .. task_id, root .. 'logh:' .. task_id
local rank = by == 'holder' and rank_of(task_id, t, holder) or 0
local own = 'own' .. rank
local from = by == 'holder' and t.gang and t.fence .. ':' .. rank or t.fence
local h = redis.call('HMGET', head, 'last', 'n', 'bytes', own)
local last, n, bytes = number(h[1]), number(h[2]), number(h[3])
local others = number(redis.call('HGET', root .. 'log_use', t.tenant)) - bytes
if redis.call('EXISTS', log) == 0 then n, bytes = 0, 0 end -- they may go before what was counted of them
local own_fence, own_next = string.match(h[4] or '', '^(%d+):(%d+)$')
local next_own = own_fence == t.fence and tonumber(own_next) or 1
local at = text(now)
for i = lines_at + math.max(0, next_own - first), #ARGV do
  last, n, bytes = last + 1, n + 1, bytes + #ARGV[i]
  redis.call('XADD', log, text(last) .. '-0', 'a', at, 'f', from, 'l', ARGV[i])
end
next_own = math.max(next_own, first + #ARGV - lines_at + 1)

local function over()
  if n > log_lines_max or bytes > log_bytes_max then return true end
  return others + bytes > tenant_log_bytes_max and bytes > log_bytes_least
end
while over() do
  local oldest = last - n + 1
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', 64)) do
    if not over() then break end
    n, bytes, oldest = n - 1, bytes - #entry[2][6], oldest + 1
  end
  redis.call('XTRIM', log, 'MINID', text(oldest) .. '-0')
end
redis.call('HSET', root .. 'log_use', t.tenant, text(others + bytes))
redis.call('HSET', head, 'last', text(last), 'n', text(n), 'bytes', text(bytes), own, t.fence .. ':' .. text(next_own))
return reply('appended', text(next_own))
