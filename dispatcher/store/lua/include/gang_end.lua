-- How the ranks of a gang end. The last completed one completes the task, with what rank 0 brought; any other end of one
-- ends the attempt of all.
--- @include ranks
--- @include lives
local function rank_signature(t)
  return t.fence .. ':' .. verdict .. ':' .. digest
end

-- Whether this report repeats the end that its rank reported.
local function rank_ended(id, t, rank)
  if not rank or number(t.closed) >= number(t.fence) then return false end
  if by == 'attempt' and (text(fence) ~= t.fence or nonce ~= t.nonce) then return false end
  if by == 'holder' and fence ~= 0 and text(fence) ~= t.fence then return false end
  return redis.call('HGET', root .. 'ranks:' .. id, 'e' .. rank) == rank_signature(t)
end

local function note_rank(id, t, rank)
  redis.call('HSET', root .. 'ranks:' .. id, 'e' .. rank, rank_signature(t))
end

local function gang_done(id, t)
  for rank = 0, gang_size(t) - 1 do
    local ended = redis.call('HGET', root .. 'ranks:' .. id, 'e' .. rank) or ''
    if not string.find(ended, t.fence .. ':completed:', 1, true) then return false end
  end
  return true
end

-- The attempt was given up, or ended by another rank.
local function written_off(t)
  return not lives(t.state, t.halted) and t.state ~= 'COMPLETED'
end
