-- remove_server: forget a server; what it was running goes back to the queue, nothing counted.
-- KEYS    root
-- ARGV    server_id
-- OPTIONS retention_ms stats_ms losses_max attempts_kept updates_kept events_kept
-- RETURNS removed | not_found
--- @include unregister
if not unregister(server_id) then return reply('not_found') end
return reply('removed')
