-- A server class that is new, with the lanes that it fits: the caller matched them, and gave them from place `at` on.
--- @include classes
-- Nil, or why not: stale (match again) or too_many.
local function learn_class(class, spec, matched_at, at)
  if redis.call('HEXISTS', root .. 'classes', class) == 1 then return nil end
  if (redis.call('HGET', root .. 'reg', 'matching') or '0') ~= matched_at then return 'stale' end
  if redis.call('HLEN', root .. 'classes') >= classes_max then return 'too_many' end
  redis.call('HSET', root .. 'classes', class, spec)
  redis.call('HINCRBY', root .. 'reg', 'matching', 1)
  for i = at, #ARGV do
    redis.call('SADD', root .. 'lc:' .. ARGV[i], class)
    redis.call('SADD', root .. 'cl:' .. class, ARGV[i])
    rank_lane(class, ARGV[i])
  end
  return nil
end
