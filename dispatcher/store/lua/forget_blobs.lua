-- forget_blobs: these orphans were removed.
-- KEYS    root
-- ARGV    blobs...
-- RETURNS forgotten
--- @include base
for i = blobs_at, #ARGV do redis.call('ZREM', root .. 'orphans', ARGV[i]) end
return reply('forgotten')
