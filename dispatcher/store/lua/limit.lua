-- limit: count one call under all of these rules, or under none when one of them is used up.
-- KEYS    root
-- ARGV    rules...
-- RETURNS allowed (count reset)... | limited place reset
--- @include rate
local refused, latest = nil, 0
for i = rules_at, #ARGV, 4 do -- each is name, key, limit, window_ms
  local limit, key, reset = number(ARGV[i + 2]), rate_window(ARGV[i], ARGV[i + 1], number(ARGV[i + 3]))
  if limit > 0 and number(redis.call('GET', key)) >= limit and reset > latest then refused, latest = i, reset end
end
if refused then return reply('limited', text((refused - rules_at) / 4), text(latest)) end
local found = {}
for i = rules_at, #ARGV, 4 do
  local n, reset = rate_hit(ARGV[i], ARGV[i + 1], number(ARGV[i + 2]), number(ARGV[i + 3]))
  found[#found + 1], found[#found + 2] = text(n), text(reset)
end
return reply('allowed', found)
