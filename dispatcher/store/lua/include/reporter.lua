-- Whose report counts: `by` is attempt (fence and nonce), holder (a worker's current slot) or admin.
--- @include attempts
--- @include ranks
local function judge_reporter(id, t)
  local current = number(t.fence)
  if by == 'admin' then
    if current == 0 or number(t.closed) >= current then return 'no_attempt' end
    return nil
  end
  if by == 'holder' then
    local rank = rank_of(id, t, holder)
    local own_end = t.ended and string.match(t.done or '', '^(%d+):') == t.fence
    local member = rank and slot(id, t.fence, rank)
    local has_slot = member and redis.call('ZSCORE', root .. 'slots:' .. holder, member)
      and redis.call('HGET', root .. 's:' .. holder, 'handed') ~= member -- what it was not told of it cannot speak of
    if rank and (has_slot or own_end) and number(t.closed) < current and (fence == 0 or fence == current) then
      return nil
    end
    local once = ever_held(id, holder) or redis.call('HEXISTS', root .. 'ranks:' .. id, 'at:' .. holder) == 1
    return once and 'stale' or 'never_held'
  end
  if fence ~= current or number(t.closed) >= current or nonce ~= t.nonce then return 'stale' end
  return nil
end
