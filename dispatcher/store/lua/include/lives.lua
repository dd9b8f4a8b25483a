-- Whether an attempt holds a lease. `halted` is when the attempt of a paused task was told to wait; it lives on.
local function lives(state, halted)
  return state == 'PROCESSING' or (state == 'PAUSED' and halted)
end
