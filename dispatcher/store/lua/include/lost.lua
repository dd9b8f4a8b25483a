-- An attempt is gone without an answer: a loss is counted, for the server that lost it, and too many end the task.
--- @include ending
local function lost(id, t, server, code, why)
  local losses = redis.call('HINCRBY', root .. 't:' .. id, 'losses', 1)
  count(t, 'attempt_failures', 1)
  count_server(server, 'attempt_failures', 1)
  if t.once then
    end_task(id, t, 'FAILED', 'RANK_LOST', why)
  elseif losses >= losses_max then
    end_task(id, t, 'FAILED', 'POISON', 'Lost ' .. text(losses) .. ' times: ' .. why)
  else
    requeue(id, t, 0)
  end
end
