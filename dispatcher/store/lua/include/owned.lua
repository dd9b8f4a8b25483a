-- A task that the caller may see: of this origin, and of this owner unless an admin asks (empty sub).
--- @include base
local function owned(id, origin, tenant, sub)
  local t = hash(root .. 't:' .. id)
  if not t or t.origin ~= origin then return nil end
  if sub ~= '' and (t.tenant ~= tenant or t.sub ~= sub) then return nil end
  return t
end
