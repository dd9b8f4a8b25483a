-- What running attempts and loaded models take of a server: held:<server>, member -> amounts. An attempt's member is its
-- slot and lives exactly as long; a placement's is m:<model>. Amounts are five whole numbers in a text (cpu and gpu in
-- thousandths, the rest in bytes), so sums are exact.
--- @include base
local function amounts_of(words)
  local found = {}
  for word in string.gmatch(words or '', '%d+') do found[#found + 1] = tonumber(word) end
  return found
end

local function hold(server, member, amounts)
  if amounts and amounts ~= '' then redis.call('HSET', root .. 'held:' .. server, member, amounts) end
end

local function release(server, member)
  redis.call('HDEL', root .. 'held:' .. server, member)
end

-- The sum of what is held; bounded by the slots and models of a server.
local function held_of(server)
  local sum, held = {0, 0, 0, 0, 0}, redis.call('HVALS', root .. 'held:' .. server)
  for _, amounts in ipairs(held) do
    for kind, amount in ipairs(amounts_of(amounts)) do sum[kind] = sum[kind] + amount end
  end
  return sum
end

local function text_of(amounts)
  local words = {}
  for kind, amount in ipairs(amounts) do words[kind] = text(amount) end
  return table.concat(words, ' ')
end

-- As text; empty where nothing is held.
local function allocated_of(server)
  return redis.call('EXISTS', root .. 'held:' .. server) == 1 and text_of(held_of(server)) or ''
end

-- What a server has in all; nil when that is not declared.
local function totals_of(server)
  local totals = redis.call('HGET', root .. 's:' .. server, 'totals')
  return totals and totals ~= '' and amounts_of(totals) or nil
end

-- What is left of it.
local function room_of(server)
  local room = totals_of(server)
  for kind, amount in ipairs(room and held_of(server) or {}) do room[kind] = room[kind] - amount end
  return room
end

local function fits_in(amounts, room)
  if not room then return true end
  for kind, amount in ipairs(amounts_of(amounts)) do
    if amount > room[kind] then return false end
  end
  return true
end
