-- Time of the store in test builds: milliseconds in a key.
local now = tonumber(redis.call('GET', root .. 'clock'))
local now_us = now * 1000
