local core = ...
local random, int_of = core.random, core.int_of

core.api.pdnsrandom = core.export(function(limit)
  if limit == nil then return random(0, 4294967295) end
  limit = int_of(limit) % 4294967296
  return limit == 0 and 0 or random(0, limit - 1)
end)
