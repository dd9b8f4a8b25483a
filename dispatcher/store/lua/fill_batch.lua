-- fill_batch: put the next tasks of a committed batch into the queue.
-- KEYS    root
-- ARGV    batch limit:n
-- OPTIONS retention_ms stats_ms updates_kept events_kept
-- RETURNS filled left
--- @include batch
return reply('filled', text(fill(batch, limit)))
