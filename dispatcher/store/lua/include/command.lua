-- A command as it is answered. One that did not end by its deadline has expired.
--- @include base
local RANKS = {queued = 0, sent = 1, acked = 2, done = 3, failed = 3}

local function command_of(id)
  local c = hash(root .. 'cmd:' .. id)
  if c and RANKS[c.state] < 3 and number(c.deadline) <= now then c.shown = 'expired' end
  return c
end

local function command_fields(id, c)
  return {id, c.server, c.verb, c.args, c.shown or c.state, c.queued, c.deadline, c.detail or ''}
end
