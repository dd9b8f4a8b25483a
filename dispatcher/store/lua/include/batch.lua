-- A committed batch goes into the queue in chunks. It was counted as live when it was committed.
--- @include insert
--- @include waking
local function fields_of(record) -- each as <length>:<bytes>
  local found, at = {}, 1
  while at <= #record do
    local _, stop, size = string.find(record, '^(%d+):', at)
    at = stop + 1 + tonumber(size)
    found[#found + 1] = string.sub(record, stop + 1, at - 1)
  end
  return found
end

local function insert_from(b, place, record)
  local id, kind, points, boost, spec, payload, timeout, attempts_max, waiting, weight, shy, facets, needs, model, loads =
    unpack(fields_of(record))
  local score = number(b.committed_us) + place - number(boost) * 1000 -- in the order of the batch
  local t = {origin = b.origin, tenant = b.tenant, sub = b.sub, lane = b.lane, type = kind, points = points,
    state = 'PENDING', created = b.committed, updated = b.committed, queued = b.committed, score = text(score),
    boost = boost, timeout = timeout, attempts_max = attempts_max, bytes = text(#payload), weight = weight,
    model = model ~= '' and model or nil, loads = loads ~= '' and loads or nil, shy = shy == '1' and '1' or nil, needs = needs ~= '' and needs or nil, facets = facets ~= '' and facets or nil, demand = b.demand ~= '' and b.demand or nil}
  insert_task(id, t, spec, payload)
  if number(waiting) > 0 then start_until(id, number(b.committed) + number(waiting)) end
  enqueue(id, t)
  announce(id, t)
end

-- Returns how many are left.
local function fill(batch, limit)
  local key, items = root .. 'batch:' .. batch, root .. 'items:' .. batch
  local b = hash(key)
  if not b or not b.committed then return 0 end
  local from, n = number(b.filled), number(b.n)
  local upto = math.min(from + limit, n)
  for place = from, upto - 1 do insert_from(b, place, redis.call('HGET', items, text(place))) end
  redis.call('HSET', key, 'filled', text(upto))
  if upto > from then wake_for(b.lane) end
  if upto < n then
    redis.call('ZADD', root .. 'due', now, 'b:' .. batch)
  else
    redis.call('ZREM', root .. 'due', 'b:' .. batch)
    redis.call('DEL', items)
    redis.call('PEXPIRE', key, 60000) -- the commit may be repeated
  end
  return n - upto
end
