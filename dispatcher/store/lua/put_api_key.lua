-- put_api_key: keep an API key under its id, once.
-- KEYS    root
-- ARGV    key_id record most:n
-- RETURNS kept | too_many
--- @include base
local keys = root .. 'apikeys'
if redis.call('HEXISTS', keys, key_id) == 1 then return reply('kept') end -- the reply was lost
if redis.call('HLEN', keys) >= most then return reply('too_many') end
redis.call('HSET', keys, key_id, record)
return reply('kept')
