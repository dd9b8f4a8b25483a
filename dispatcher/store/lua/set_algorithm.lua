-- set_algorithm: switch the balancing policy of the namespace.
-- KEYS    root
-- ARGV    name who
-- OPTIONS events_kept
-- RETURNS set
--- @include fleet
redis.call('HSET', root .. 'reg', 'algorithm', name)
redis.call('HINCRBY', root .. 'reg', 'epoch', 1)
announce_fleet('balancer', 'algorithm', name, 'by', who)
return reply('set')
