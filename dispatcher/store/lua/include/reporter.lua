-- Whose report counts: `by` is attempt (fence and nonce), holder (a worker's current slot) or admin.
--- @include attempts
local function judge_reporter(id, t)
  local current = number(t.fence)
  if by == 'admin' then
    if current == 0 or number(t.closed) >= current then return 'no_attempt' end
    return nil
  end
  if by == 'holder' then
    if t.server ~= holder or number(t.closed) >= current then
      return ever_held(id, holder) and 'stale' or 'never_held'
    end
    if fence ~= 0 and fence ~= current then return 'stale' end
    return nil
  end
  if fence ~= current or number(t.closed) >= current or nonce ~= t.nonce then return 'stale' end
  return nil
end
