-- define_lane: make a lane known, with the server classes that fit it (matched by the caller).
-- KEYS    root
-- ARGV    lane spec matching classes...
-- OPTIONS lanes_max
-- RETURNS defined | stale | too_many
--- @include lanes
--- @include classes
if redis.call('HEXISTS', root .. 'lanes', lane) == 1 then return reply('defined') end
if (redis.call('HGET', root .. 'reg', 'matching') or '0') ~= matching then return reply('stale') end
if redis.call('HLEN', root .. 'lanes') >= lanes_max and drop_empty_lanes() == 0 then return reply('too_many') end
redis.call('HSET', root .. 'lanes', lane, spec)
redis.call('HINCRBY', root .. 'reg', 'matching', 1)
for i = classes_at, #ARGV do
  redis.call('SADD', root .. 'lc:' .. lane, ARGV[i])
  redis.call('SADD', root .. 'cl:' .. ARGV[i], lane)
  rank_lane(ARGV[i], lane)
end
return reply('defined')
