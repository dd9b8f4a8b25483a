-- The attempt that a reporter adds something to must be at work: the refusal and the task's state, or nil and the task.
-- An empty origin is any.
--- @include base
--- @include reporter
--- @include lives
local function not_at_work(id, origin)
  local t = hash(root .. 't:' .. id)
  if not t or (origin ~= '' and t.origin ~= origin) then return 'not_found', '' end
  local refusal = judge_reporter(id, t)
  if refusal then return refusal, t.state end
  if t.ended then return 'ended', t.state end
  if not lives(t.state, t.halted) then return 'stale', t.state end
  return nil, t
end
