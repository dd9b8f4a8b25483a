-- Give a server's free slot to the head of the queue. Returns the grant or nil.
--- @include select
--- @include start
local function grant_next(server, nonce, gateway, claim_id, lease)
  local place = refresh_server(server)
  if not (place and place.free and place.pushed) then return nil end
  local head = select_head(server, place.class)
  if not head then return nil end
  return start_attempt(head.id, hash(root .. 't:' .. head.id), server, nonce, gateway, claim_id, lease)
end
