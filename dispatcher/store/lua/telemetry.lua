-- telemetry: a server's samples after a time.
-- KEYS    root
-- ARGV    server_id since:n
-- RETURNS samples (id fields)... | not_found
--- @include base
if redis.call('EXISTS', root .. 's:' .. server_id) == 0 then return reply('not_found') end
local after = math.max(since, now - 3600000)
return reply('samples', redis.call('XRANGE', root .. 'tele:' .. server_id, '(' .. text(after) .. '-0', '+'))
