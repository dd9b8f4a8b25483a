-- What every script uses: numbers as text, flat hashes as tables, replies that begin with tag, time and registry epoch.
--- @include now
local function text(number)
  return string.format('%.0f', number)
end

local function epoch()
  return redis.call('HGET', root .. 'reg', 'epoch') or '0'
end

local function reply(tag, ...)
  return {tag, text(now), epoch(), ...}
end

local function hash(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

local function number(value)
  return tonumber(value or '0') or 0
end


