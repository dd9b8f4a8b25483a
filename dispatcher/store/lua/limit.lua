-- limit: count one call under a rule.
-- KEYS    root
-- ARGV    rule rate_key rate_limit:n window_ms:n
-- RETURNS allowed count reset | limited count reset
--- @include rate
local n, reset = rate_hit(rule, rate_key, rate_limit, window_ms)
return reply(rate_limit > 0 and n > rate_limit and 'limited' or 'allowed', text(n), text(reset))
