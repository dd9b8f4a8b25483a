-- A worker that fetches shows that it lives by asking for work and by speaking of what it has.
--- @include alive
local function heard_of(server)
  local silence = redis.call('HGET', root .. 's:' .. server, 'silence')
  if not silence then return end
  redis.call('HSET', root .. 's:' .. server, 'seen', text(now))
  sign_of_life(server, now + (number(silence) > 0 and number(silence) or offline_after_ms))
end
