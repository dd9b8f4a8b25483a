-- Whose report counts: `by` is attempt (fence and nonce), holder (a worker's current slot) or admin.
--- @include attempts
--- @include ranks

-- Whether the holder has the slot of this rank of the current attempt.
local function speaks_of(id, t, rank)
  local member = slot(id, t.fence, rank)
  return redis.call('ZSCORE', root .. 'slots:' .. holder, member)
    and redis.call('HGET', root .. 's:' .. holder, 'handed') ~= member -- of what it was not told it cannot speak
end

local function judge_reporter(id, t)
  local current = number(t.fence)
  if by == 'admin' then
    if current == 0 or number(t.closed) >= current then return 'no_attempt' end
    return nil
  end
  if by == 'holder' then
    local rank = rank_of(id, t, holder)
    local own_end = t.ended and string.match(t.done or '', '^(%d+):') == t.fence
    if rank and (own_end or speaks_of(id, t, rank)) and number(t.closed) < current and (fence == 0 or fence == current) then
      return nil
    end
    local once = ever_held(id, holder) or redis.call('HEXISTS', root .. 'ranks:' .. id, 'at:' .. holder) == 1
    return once and 'stale' or 'never_held'
  end
  if fence ~= current or number(t.closed) >= current or nonce ~= t.nonce then return 'stale' end
  return nil
end
