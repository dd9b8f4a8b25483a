-- Lanes without a live task make room for new ones: O(lanes), only when the bound is reached.
--- @include base
local function drop_empty_lanes()
  local dropped = 0
  for _, lane in ipairs(redis.call('HKEYS', root .. 'lanes')) do
    if redis.call('HEXISTS', root .. 'lane_live', lane) == 0 then
      for _, class in ipairs(redis.call('SMEMBERS', root .. 'lc:' .. lane)) do
        redis.call('SREM', root .. 'cl:' .. class, lane)
      end
      redis.call('DEL', root .. 'lc:' .. lane)
      redis.call('HDEL', root .. 'lanes', lane)
      redis.call('HDEL', root .. 'turn', lane)
      dropped = dropped + 1
      if dropped == 64 then break end
    end
  end
  return dropped
end
