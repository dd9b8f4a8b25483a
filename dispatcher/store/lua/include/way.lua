-- A task that finds no room has the models unloaded that only stand in its way.
--- @include loads
--- @include enqueue
local make_way
do
  local KEPT_MS, IDLE_S = 86400000, 300 -- a worker that is not there is told later; what is in use may end so long

  local function amounts_held(server, model)
    return amounts_of(redis.call('HGET', root .. 'held:' .. server, 'm:' .. model) or '')
  end

  -- The models that could go, the one that was used least lately first, and the room once those that are going are gone.
  local function idle_models(server)
    local room, idle, kept = room_of(server), {}, redis.call('HGETALL', root .. 'pl:' .. server)
    for i = 1, room and #kept or 0, 2 do
      local model, p = kept[i], cjson.decode(kept[i + 1])
      if p.status == 'unloading' then
        for kind, amount in ipairs(amounts_held(server, model)) do room[kind] = room[kind] + amount end
      elseif gives_way(server, model, p) then
        idle[#idle + 1] = {model = model, p = p, used = number(redis.call('HGET', root .. 'plused:' .. server, model))}
      end
    end
    table.sort(idle, function(a, b) return a.used < b.used or (a.used == b.used and a.model < b.model) end)
    return idle, room
  end

  -- As many of them as have to go for it; none, where that would not do.
  function make_way(server, needs, model)
    if (redis.call('HGET', root .. 's:' .. server, 'models') or '') == '' then return end
    local idle, room = idle_models(server)
    local p, going = to_load(server, model), {}
    while not could_hold(server, needs, model, p, room, #going) do
      local next = idle[#going + 1]
      if not next then return end
      going[#going + 1] = next
      for kind, amount in ipairs(amounts_held(server, next.model)) do room[kind] = room[kind] + amount end
    end
    for _, one in ipairs(going) do
      local args = cjson.encode({model = one.model, force = false, when_idle = true, within_s = IDLE_S})
      local id = 'way_' .. text(number(redis.call('HGET', root .. 'reg', 'commands')) + 1)
      if enqueue_command(id, server, 'model.unload', args, now + KEPT_MS) then
        one.p.status = 'unloading'
        keep_placement(server, one.model, one.p)
      end
    end
  end
end
