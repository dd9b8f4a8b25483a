-- What a worker says of its load: a sample of its own, and a share of the fleet's means of the minute and the hour.
--- @include base
local SAMPLES_KEPT, SAMPLES_APART_MS, SAMPLE_LIFE_MS, MINUTES_KEPT_MS = 720, 1000, 3600000, 172800000

local function add_usage(key, prefix, name, value, life)
  redis.call('HINCRBY', key, prefix .. name, math.floor(tonumber(value) * 100 + 0.5))
  if redis.call('HINCRBY', key, prefix .. name .. '_n', 1) == 1 then redis.call('PEXPIRE', key, life) end
end

local function add_sample(server, cpu, memory, gpu, storage, gpus)
  local key = root .. 's:' .. server
  if cpu .. memory .. gpu .. storage .. gpus == '' or now - number(redis.call('HGET', key, 'sampled')) < SAMPLES_APART_MS then return end
  redis.call('HSET', key, 'sampled', text(now))
  local samples = root .. 'tele:' .. server
  local used = table.concat({cpu, memory, gpu, storage}, ',')
  redis.call('XADD', samples, 'MAXLEN', SAMPLES_KEPT, text(now) .. '-0', 'u', used, 'g', gpus)
  redis.call('PEXPIRE', samples, SAMPLE_LIFE_MS)
  local minute, hour = math.floor(now / 60000), math.floor(now / 3600000)
  for name, value in pairs({cpu = cpu, memory = memory, gpu = gpu}) do
    if value ~= '' then
      add_usage(root .. 'use:m:' .. text(hour), text(minute % 60) .. ':', name, value, MINUTES_KEPT_MS)
      add_usage(root .. 'use:h:' .. text(math.floor(hour / 24)), text(hour % 24) .. ':', name, value, stats_ms)
    end
  end
end
