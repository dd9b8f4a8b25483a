-- Whether the transition table allows an event in a state. `allowed` is ' event:STATE event:STATE ... '.
local function may(event, state)
  return string.find(allowed, ' ' .. event .. ':' .. state .. ' ', 1, true) ~= nil
end
