-- What a task asks of the models in a server's memory.
--- @include base
-- Whether the model is in its memory, as it is shown to gateways: lines of names.
local function has_model(server, model)
  if not model then return false end
  local shown = redis.call('HGET', root .. 's:' .. server, 'models')
  return shown and string.find('\n' .. shown .. '\n', '\n' .. model .. '\n', 1, true) ~= nil
end

-- A task starts there with a model, if it is placed there.
local function use_model(server, model)
  if model and redis.call('HEXISTS', root .. 'pl:' .. server, model) == 1 then
    redis.call('HSET', root .. 'plused:' .. server, model, text(now))
  end
end
