-- time: what the store's clock says.
-- KEYS    root
-- RETURNS now
--- @include base
return reply('now')
